import { expect, test } from "vitest";
import { bayes } from "./bayes";
import { addends } from "./sums";

test("the posterior is prior times evidence, normalised", () => {
  const found = bayes(0.25, Math.log(0.02), Math.log(0.01));
  expect(found.total).toBeCloseTo(Math.log(0.25 * 0.02 + 0.75 * 0.01), 12);
  expect(found.posterior[0]).toBeCloseTo(0.4, 12);
  expect(found.posterior[0] + found.posterior[1]).toBeCloseTo(1, 12);
  expect(found.joints[0] - found.total).toBeCloseTo(Math.log(0.4), 12);
});

test("texts of thousands of nats, and impossible ones", () => {
  expect(bayes(0.5, -5000, -5010).posterior[1]).toBeCloseTo(Math.exp(-10) / (1 + Math.exp(-10)), 12);
  expect(bayes(0.5, -Infinity, -3).posterior).toEqual([0, 1]);
  expect(bayes(1, -900, -3).posterior).toEqual([1, 0]);
  expect(bayes(0.5, -Infinity, -Infinity).posterior[0]).toBeNaN();
});

test("shown terms add up to the shown sum", () => {
  const read = (s: string): number => Math.round(1000 * Number(s.replace("−", "-")));
  for (let n = 0; n < 500; n++) {
    const terms = Array.from({ length: 1 + (n % 5) }, (_, k) => Math.sin(n * 7.3 + k) * 50);
    const total = terms.reduce((s, x) => s + x, 0);
    const shown = addends(terms, total);
    expect(shown.terms.reduce((s, x) => s + read(x), 0)).toBe(read(shown.total));
    shown.terms.forEach((x, k) => expect(Math.abs(read(x) - 1000 * terms[k]!)).toBeLessThan(1.5));
  }
  expect(addends([-Infinity, 1], -Infinity)).toMatchObject({ terms: ["−∞", "1.000"], total: "−∞" });
});
