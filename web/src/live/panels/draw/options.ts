/** Numbers that a permalink keeps: an option of the page that is a number, or its default. */

import type { Session } from "../../session.svelte";

/** The number of an option; the default where a link says something else than a number between two bounds. */
export function numberOf(session: Session, name: string, usual: number, least: number, most: number): number {
  const value = Number(session.option(name, String(usual)));
  return value >= least && value <= most ? value : usual;
}

/** Keep a number; one that an input has not understood is null. */
export function keepNumber(session: Session, name: string, value: number | null | undefined, usual: number): void {
  session.choose(name, String(value ?? usual), String(usual));
}
