/** The tabs of the page: one line a panel. A panel is one component in panels/, and gets the session. */

import type { Component } from "svelte";
import ComparePanel from "./panels/ComparePanel.svelte";
import DrawPanel from "./panels/DrawPanel.svelte";
import ClassesPanel from "./panels/ClassesPanel.svelte";
import CorpusPanel from "./panels/CorpusPanel.svelte";
import GapsPanel from "./panels/GapsPanel.svelte";
import TextPanel from "./panels/TextPanel.svelte";
import X0Panel from "./panels/X0Panel.svelte";
import type { Session } from "./session.svelte";

export interface Tab {
  /** Its name in a permalink. */
  id: string;
  label: string;
  component: Component<{ session: Session }>;
}

export const TABS: Tab[] = [
  { id: "text", label: "Text", component: TextPanel },
  { id: "x0", label: "Beginnings", component: X0Panel },
  { id: "compare", label: "Compare", component: ComparePanel },
  { id: "draw", label: "Draw", component: DrawPanel },
  { id: "classes", label: "Classes", component: ClassesPanel },
  { id: "gaps", label: "Gaps", component: GapsPanel },
  { id: "corpus", label: "Corpus", component: CorpusPanel },
];
