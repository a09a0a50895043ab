/** The cases of tests/report/web_twins.json, which Python gives, too. */

import { expect, test } from "vitest";
import table from "../../../tests/report/web_twins.json";
import { shade } from "../text/scale";
import { visible } from "../text/visible";
import { count, fixed, probability, significant } from "./notation";
import { addends, steps } from "./sums";

const cases = table as unknown as Record<string, [string, unknown][]>;
const number = (given: string): number => (given === "inf" ? Infinity : given === "-inf" ? -Infinity : Number(given));
/** Terms beside their sum, then terms beside their running sums, and these. */
function sums(given: string): string {
  const terms = given.split(" ").map(number);
  const total = terms.reduce((sum, x) => sum + x, 0);
  const shown = steps(terms, total);
  return [...addends(terms, total).terms, ...[...shown.values, ...shown.sums].map((x) => fixed(x))].join(" ");
}

const functions: Record<string, (given: string) => unknown> = {
  fixed: (x) => fixed(number(x)),
  significant: (x) => significant(number(x)),
  probability: (x) => probability(number(x)),
  count: (x) => count(number(x)),
  visible,
  shade: (x) => shade(number(x)),
  sums,
};

for (const [name, given] of Object.entries(cases))
  test(`${name} is as in Python`, () => {
    expect(given.map(([x]) => [x, functions[name]!(x)])).toEqual(given);
  });
