/** The state of the page in the part of its address after #, which a browser sends to no server. */

export interface Linked {
  text: string;
  given: string;
  model: string;
  tab: string;
  /** Options of panels, by names such as "text.unit". */
  view: Record<string, string>;
}

// Programs that pass links on cut addresses of more than about 32,000 characters.
export const LONGEST = 30_000;

const OPTION = /^[a-z]+\.[a-z0-9]+$/;

/** What an address says; what it does not say is left out. Anything that is no state of this page is ignored. */
export function readHash(hash: string): Partial<Linked> {
  const out: Partial<Linked> = {};
  const view: Record<string, string> = {};
  for (const [name, value] of new URLSearchParams(hash.replace(/^#/, ""))) {
    if (name === "text" || name === "given" || name === "model" || name === "tab") out[name] = value;
    else if (OPTION.test(name)) view[name] = value;
  }
  if (Object.keys(view).length) out.view = view;
  return out;
}

/** The address of a state; null where the text is too long for one. */
export function writeHash(state: Linked): string | null {
  const said = new URLSearchParams();
  if (state.tab) said.set("tab", state.tab);
  if (state.model) said.set("model", state.model);
  for (const [name, value] of Object.entries(state.view).sort()) said.set(name, value);
  if (state.given) said.set("given", state.given);
  said.set("text", state.text);
  const hash = `#${said}`;
  return hash.length > LONGEST ? null : hash;
}
