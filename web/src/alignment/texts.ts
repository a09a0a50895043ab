/** Two texts under one model: the words that both have, and what stands in the one instead of the other. */

import type { Score } from "../records/score";
import { units, type Unit } from "../text/units";
import { withEnd, type Region, type RegionKind, type Side } from "./regions";

// A table of more cells is not made; the middle of such texts is one region.
const CELLS = 4_000_000;

/** The regions of two texts, in order: pairs of equal words, and runs that differ. */
export function regionsOfTexts(a: Score, b: Score, kind: RegionKind): Region[] {
  const left = units(a, kind);
  const right = units(b, kind);
  const out: Region[] = [];
  let i = 0;
  let j = 0;
  for (const [x, y] of [...pairs(left, right), [left.length, right.length] as const]) {
    if (i < x || j < y) out.push(region(left.slice(i, x), right.slice(j, y), false));
    if (x < left.length && y < right.length) out.push(region([left[x]!], [right[y]!], true));
    i = x + 1;
    j = y + 1;
  }
  return withEnd(out, a, b);
}

function region(a: Unit[], b: Unit[], same: boolean): Region {
  return { a: side(a), b: side(b), same, end: false };
}

function side(of: Unit[]): Side {
  return {
    text: of.map((u) => u.text).join(""),
    logp: of.reduce((sum, u) => sum + u.logp, 0),
    lo: of[0]?.lo ?? 0,
    hi: of.at(-1)?.hi ?? 0,
  };
}

/** A longest common subsequence, as pairs of places. */
function pairs(a: Unit[], b: Unit[]): [number, number][] {
  let from = 0;
  while (from < a.length && from < b.length && a[from]!.text === b[from]!.text) from++;
  let back = 0;
  while (back < a.length - from && back < b.length - from && a.at(-1 - back)!.text === b.at(-1 - back)!.text) back++;
  const n = a.length - from - back;
  const m = b.length - from - back;
  const out: [number, number][] = [];
  for (let k = 0; k < from; k++) out.push([k, k]);
  if (n * m <= CELLS) {
    const longest = new Uint32Array((n + 1) * (m + 1));
    const at = (i: number, j: number): number => i * (m + 1) + j;
    const equal = (i: number, j: number): boolean => a[from + i]!.text === b[from + j]!.text;
    for (let i = n - 1; i >= 0; i--)
      for (let j = m - 1; j >= 0; j--)
        longest[at(i, j)] = equal(i, j)
          ? longest[at(i + 1, j + 1)]! + 1
          : Math.max(longest[at(i + 1, j)]!, longest[at(i, j + 1)]!);
    for (let i = 0, j = 0; i < n && j < m; ) {
      if (equal(i, j)) out.push([from + i++, from + j++]);
      else if (longest[at(i + 1, j)]! >= longest[at(i, j + 1)]!) i++;
      else j++;
    }
  }
  for (let k = back; k > 0; k--) out.push([a.length - k, b.length - k]);
  return out;
}
