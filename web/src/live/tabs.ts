/** The tabs of the page: one line a panel. A panel is one component in panels/, and gets the session. */

import type { Component } from "svelte";
import DrawPanel from "./panels/DrawPanel.svelte";
import TextPanel from "./panels/TextPanel.svelte";
import type { Session } from "./session.svelte";

export interface Tab {
  /** Its name in a permalink. */
  id: string;
  label: string;
  component: Component<{ session: Session }>;
}

export const TABS: Tab[] = [
  { id: "text", label: "Text", component: TextPanel },
  { id: "draw", label: "Draw", component: DrawPanel },
];
