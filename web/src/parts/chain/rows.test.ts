import { expect, test } from "vitest";
import type { Score } from "../../records/score";
import { csv, latex, rows } from "./rows";

const token = (id: number, name: string, bytes: string | null, nats: number | null, at: number) => ({
  id, token: name, bytes, start: at, end: at + 1, nats, seen: at + 1, rank: 2, entropy_nats: 1.5,
});
const score: Score = {
  text: '="x',
  total_nats: -3.4,
  prefix_nats: -2.3,
  bits_per_byte: 1,
  terms: { bytes: 3, given_bytes: 0, end: true },
  tokens: [token(5, '="', btoa('="'), -1, 0), token(6, "_{", btoa("_{"), -1.3, 1), token(0, "EOS", null, -1.1, 2)],
};

test("the last running sum is the total of the record", () => {
  expect(rows(score).map((r) => r.running)).toEqual([-1, -2.3, -3.4]);
  expect(rows(score).at(-1)!.end).toBe(true);
});

test("a cell of CSV is no formula, and keeps all digits", () => {
  const lines = csv(score).split("\r\n");
  expect(lines[1]).toBe(`1,5,"'=""",${btoa('="')},${Math.exp(-1)},-1,-1,2,1.5,1`);
  expect(lines.length).toBe(5);
});

test("LaTeX is escaped, and has the digits of the page", () => {
  const lines = latex(score).split("\n");
  expect(lines[4]).toContain("\\texttt{\\_\\{}");
  expect(lines.at(-2)).toContain("$-3.400$");
});

test("an impossible token is log 0, not a number", () => {
  const impossible = { ...score, total_nats: null, tokens: [token(5, "a", "YQ==", null, 0), score.tokens![2]!] };
  expect(rows(impossible).map((r) => r.running)).toEqual([-Infinity, -Infinity]);
  expect(csv(impossible)).toContain("-inf");
  expect(latex(impossible)).toContain("-\\infty");
});
