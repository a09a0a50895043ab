/** One text under two models: the regions of bytes that are whole tokens of both. */

import { addends } from "../numbers/sums";
import { nats, type Score, type Token } from "../records/score";
import { decoded } from "../text/bytes";
import { bytesOf, ownTokens } from "../text/units";

/** One side of a region: what it spells, log p of its tokens, and the places of these tokens in the record. */
export interface Side {
  text: string;
  logp: number;
  lo: number;
  hi: number;
}

/** A part of both records. The regions of two records hold each token once. */
export interface Region {
  a: Side;
  b: Side;
  /** Whether both sides spell the same. */
  same: boolean;
  /** Whether it is the end of the text. */
  end: boolean;
}

export type RegionKind = "words" | "tokens";

// Languages without spaces would be one region.
const LONGEST = 30;

/** The regions of one text under two models, in order, EOS last where both count it. */
export function regions(a: Score, b: Score, kind: RegionKind): Region[] {
  const data = bytesOf(a);
  const left = ownTokens(a);
  const right = ownTokens(b);
  const common = boundaries(left, data);
  const other = boundaries(right, data);
  const cuts: number[] = [];
  let from = 0;
  let letters = false;
  for (let p = 1; p < data.length; p++) {
    letters ||= !space(data[p - 1]!);
    if (!common[p] || !other[p]) continue;
    const word = letters && (space(data[p]!) || space(data[p - 1]!) || p - from >= LONGEST);
    if (kind === "tokens" || word) {
      cuts.push(p);
      from = p;
      letters = false;
    }
  }
  if (data.length) cuts.push(data.length);
  const ofA = sides(left, cuts, data);
  const ofB = sides(right, cuts, data);
  const out = ofA.map((side, k) => ({ a: side, b: ofB[k]!, same: true, end: false }));
  return withEnd(out, a, b);
}

/** The regions, and EOS where both records count it. */
export function withEnd(all: Region[], a: Score, b: Score): Region[] {
  if (!a.terms.end || !b.terms.end) return all;
  return [...all, { a: endOf(a), b: endOf(b), same: true, end: true }];
}

/** log p of what two records can be compared by: the whole texts, or the texts as prefixes where one has no EOS. */
export function comparedTotals(a: Score, b: Score): { a: number; b: number; end: boolean } {
  const end = a.terms.end && b.terms.end;
  const total = (s: Score): number => nats(end ? s.total_nats : s.prefix_nats);
  return { a: total(a), b: total(b), end };
}

/** log p under A minus log p under B; nan where both are impossible. */
export function difference(region: Region): number {
  return region.a.logp - region.b.logp;
}

/** The numbers of regions as they are shown, nats. */
export interface ShownRegions {
  a: number[];
  b: number[];
  delta: number[];
}

/** Every column adds up to its total, and in every row A minus B is Δ. `a` and `delta` are the shown totals of their columns. */
export function shownRegions(all: Region[], a: number, delta: number): ShownRegions {
  const deltas = addends(all.map(difference), delta).values;
  const first = addends(all.map((r) => r.a.logp), a).values;
  const finite = all.every((r) => Number.isFinite(r.a.logp) && Number.isFinite(r.b.logp));
  return { a: first, b: all.map((r, k) => (finite ? first[k]! - deltas[k]! : r.b.logp)), delta: deltas };
}

/** The regions that decide, the greatest difference first. */
export function deciding(all: Region[]): Region[] {
  const size = (r: Region): number => (Number.isNaN(difference(r)) ? -1 : Math.abs(difference(r)));
  return [...all].sort((x, y) => size(y) - size(x));
}

function endOf(score: Score): Side {
  const n = score.tokens?.length ?? 0;
  return { text: "EOS", logp: nats(score.tokens?.at(-1)?.nats), lo: n - 1, hi: n };
}

/** Whether a token ends at each offset, and a character with it. */
function boundaries(tokens: Token[], data: Uint8Array): Uint8Array {
  const out = new Uint8Array(data.length + 1);
  for (const t of tokens) if (t.end <= data.length) out[t.end] = 1;
  for (let p = 0; p < data.length; p++) if ((data[p]! & 0xc0) === 0x80) out[p] = 0;
  return out;
}

/** The tokens between cuts. A token that spells nothing belongs to the region in which it stands. */
function sides(tokens: Token[], cuts: number[], data: Uint8Array): Side[] {
  let k = 0;
  return cuts.map((end, r) => {
    const start = cuts[r - 1] ?? 0;
    const lo = k;
    let logp = 0;
    while (k < tokens.length && (tokens[k]!.end <= end || r === cuts.length - 1)) logp += nats(tokens[k++]!.nats);
    return { text: decoded(data.subarray(start, end)), logp, lo, hi: k };
  });
}

function space(byte: number): boolean {
  return byte === 0x20 || (byte >= 0x09 && byte <= 0x0d);
}
