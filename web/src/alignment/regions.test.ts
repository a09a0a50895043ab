import { expect, test } from "vitest";
import type { Score } from "../records/score";
import { fixed } from "../numbers/notation";
import { between } from "../numbers/sums";
import { encoded } from "../text/bytes";
import { comparedTotals, deciding, difference, regions, shownRegions } from "./regions";
import { regionsOfTexts } from "./texts";

/** A record of a text that is cut as told; token k has log p −(k + 1) / weight. */
function scored(pieces: string[], weight = 1, end = true): Score {
  let at = 0;
  const tokens = pieces.map((piece, k) => {
    const data = encoded(piece);
    const start = at;
    at += data.length;
    return { id: k, token: piece, bytes: btoa(String.fromCharCode(...data)), start, end: at, nats: -(k + 1) / weight, seen: k };
  });
  if (end) tokens.push({ id: 99, token: "EOS", bytes: null as never, start: at, end: at, nats: -0.5 / weight, seen: 0 });
  const total = tokens.reduce((sum, t) => sum + t.nats, 0);
  const terms = { bytes: at, given_bytes: 0, end };
  return { text: pieces.join(""), total_nats: total, prefix_nats: total + (end ? 0.5 / weight : 0), bits_per_byte: 1, terms, tokens };
}

const shown = (a: Score, b: Score, kind: "words" | "tokens"): string[] => regions(a, b, kind).map((r) => r.a.text);

test("regions end where a token of both ends", () => {
  const a = scored(["The", " ca", "t", " sat"]);
  const b = scored(["Th", "e", " cat", " s", "at"], 2);
  expect(shown(a, b, "tokens")).toEqual(["The", " cat", " sat", "EOS"]);
  const all = regions(a, b, "tokens");
  expect(all.map((r) => r.a.logp)).toEqual([-1, -5, -4, -0.5]);
  expect(all.map((r) => r.b.logp)).toEqual([-1.5, -1.5, -4.5, -0.25]);
  expect(all.map((r) => [r.a.lo, r.a.hi, r.b.lo, r.b.hi])).toEqual([[0, 1, 0, 2], [1, 3, 2, 3], [3, 4, 3, 5], [4, 5, 5, 6]]);
});

test("the differences of all regions are the difference of the totals", () => {
  const a = scored([..."The early bird, é!"], 3);
  const b = scored(["The", " ear", "ly b", "ird,", " é", "!"], 2);
  for (const kind of ["words", "tokens"] as const) {
    const sum = regions(a, b, kind).reduce((s, r) => s + difference(r), 0);
    const totals = comparedTotals(a, b);
    expect(sum).toBeCloseTo(totals.a - totals.b, 9);
  }
  expect(shown(a, b, "words")).toEqual(["The", " early bird,", " é!", "EOS"]);
});

test("no region ends inside a character, and white space stands before its word", () => {
  const bytes = scored(["a", " ", "\xc3", "b"]); // the bytes of "Ã", as one token each
  expect(shown(bytes, bytes, "words")).toEqual(["a", " Ãb", "EOS"]);
  const half = scored(["é", "x"]);
  half.tokens!.splice(0, 1, { ...half.tokens![0]!, end: 1 }, { ...half.tokens![0]!, start: 1, end: 2 });
  expect(shown(half, half, "tokens")).toEqual(["é", "x", "EOS"]);
  const after = scored(["one ", "two"]);
  expect(shown(after, after, "words")).toEqual(["one ", "two", "EOS"]);
});

test("a token that spells nothing is counted, and so is a text of nothing", () => {
  const a = scored(["", "ab"]);
  expect(regions(a, scored(["ab"]), "tokens").map((r) => r.a.logp)).toEqual([-3, -0.5]);
  expect(shown(scored([]), scored([]), "words")).toEqual(["EOS"]);
});

test("without EOS in one record, both are prefixes", () => {
  const a = scored(["a"], 1, false);
  expect(shown(a, scored(["a"]), "words")).toEqual(["a"]);
  expect(comparedTotals(a, scored(["a"]))).toEqual({ a: -1, b: -1, end: false });
});

test("the regions that decide come first, and what is impossible under both comes last", () => {
  const a = scored(["a", " b", " c"]);
  const b = scored(["a", " b", " c"], 4);
  a.tokens![0]!.nats = b.tokens![0]!.nats = -Infinity;
  expect(deciding(regions(a, b, "words")).map((r) => r.a.text)).toEqual([" c", " b", "EOS", "a"]);
});

test("two texts share what they share", () => {
  const a = scored(["The", " cat", " sat", " down"]);
  const b = scored(["The", " black", " dog", " sat"], 2);
  const all = regionsOfTexts(a, b, "words");
  expect(all.map((r) => [r.a.text, r.b.text, r.same])).toEqual([
    ["The", "The", true],
    [" cat", " black dog", false],
    [" sat", " sat", true],
    [" down", "", false],
    ["EOS", "EOS", true],
  ]);
  const totals = comparedTotals(a, b);
  expect(all.reduce((s, r) => s + difference(r), 0)).toBeCloseTo(totals.a - totals.b, 9);
  expect(regionsOfTexts(scored([]), scored(["x"]), "words").map((r) => r.b.text)).toEqual(["x", "EOS"]);
});

test("every shown column adds up to its total, and every shown row is a subtraction", () => {
  const read = (x: number): number => Math.round(1000 * Number(fixed(x).replace("−", "-")));
  const words = ["one ", "two ", "three ", "four ", "five ", "six ", "seven"];
  for (let n = 0; n < 200; n++) {
    const a = scored(words.slice(0, 1 + (n % 7)), 7 + n / 3);
    const b = scored(words.slice(0, 1 + (n % 7)), n % 4 ? 3 + n / 7 : 7 + n / 3);
    const all = regions(a, b, "words");
    const totals = comparedTotals(a, b);
    const delta = between(totals.a, totals.b);
    const shown = shownRegions(all, totals.a, delta);
    const column = (xs: number[]): number => xs.reduce((sum, x) => sum + read(x), 0);
    expect([column(shown.a), column(shown.b), column(shown.delta)]).toEqual([read(totals.a), read(totals.b), read(delta)]);
    all.forEach((r, k) => {
      expect(read(shown.a[k]!) - read(shown.b[k]!)).toBe(read(shown.delta[k]!));
      expect(Math.abs(shown.a[k]! - r.a.logp)).toBeLessThan(0.0026);
      expect(Math.abs(shown.b[k]! - r.b.logp)).toBeLessThan(0.0026);
      if (difference(r) === 0) expect(read(shown.delta[k]!)).toBe(0);
    });
  }
});
