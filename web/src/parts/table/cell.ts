/** A cell: a text, a number as it is to be shown, or nothing. */
export type Cell = string | { number: string } | null;

export function number(shown: string): Cell {
  return shown === "" ? null : { number: shown };
}
