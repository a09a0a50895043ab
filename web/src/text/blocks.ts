/** A long text in blocks of some hundred units, of which only those near the view are drawn unit by unit. */

import type { Unit } from "./units";

export interface Block {
  /** The index of the first unit, and of the one after the last. */
  from: number;
  to: number;
  /** The whole text of the block. */
  text: string;
}

// A text of so many units is one block, whose lines no end of a block breaks. Chromium draws 700 spans in about 10 ms.
const ONE = 700;
const LEAST = 40;
const MOST = 150;
// A word may have 10,000 characters.
const CHARACTERS = 3000;

/** Blocks end at line ends where there are any, else at white space, else anywhere. */
export function blocks(all: Unit[]): Block[] {
  const small = all.length <= ONE;
  const out: Block[] = [];
  let from = 0;
  let text = "";
  for (let k = 0; k < all.length; k++) {
    text += all[k]!.text;
    const n = k + 1 - from;
    const ended = text.endsWith("\n");
    const full = n >= MOST || text.length >= CHARACTERS;
    const space = /^\s/.test(all[k + 1]?.text ?? " ");
    if (k + 1 === all.length || (!small && ((n >= LEAST && ended) || (full && space) || n >= 2 * MOST))) {
      out.push({ from, to: k + 1, text });
      from = k + 1;
      text = "";
    }
  }
  return out.length ? out : [{ from: 0, to: 0, text: "" }];
}

/** Groups of blocks that stand together. A browser skips the groups that are out of view, and looks at each group in every frame. */
export function groups(all: Block[], size = 12): { first: number; blocks: Block[]; text: string }[] {
  const out = [];
  for (let first = 0; first < all.length; first += size) {
    const own = all.slice(first, first + size);
    out.push({ first, blocks: own, text: own.map((b) => b.text).join("") });
  }
  return out;
}

/** How many lines a block takes in columns of equal width: an estimate of its height before it is drawn. */
export function lines(text: string, columns: number): number {
  let n = 0;
  for (const line of text.replace(/\n$/, "").split("\n")) n += Math.max(1, Math.ceil(line.length / Math.max(1, columns)));
  return n;
}
