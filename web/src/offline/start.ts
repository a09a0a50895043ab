import "../style/page.css";
import "../style/heat.css";
import "../style/compact.css";
import { mount, type Component } from "svelte";
import type { Block, Document } from "./document";
import Page from "./Page.svelte";

export type Show = Component<{ block: Block; at: string }>;

/** Draw the page of the data within this document, in the place of what stands there for browsers without scripts. */
export function start(show: Show): void {
  const target = document.getElementById("page");
  const data = document.getElementById("data")?.textContent;
  if (target === null || !data) throw new Error("expected the elements #page and #data");
  const page = JSON.parse(data) as Document;
  document.body.classList.toggle("compact", page.compact);
  target.replaceChildren();
  mount(Page, { target, props: { page, show } });
}
