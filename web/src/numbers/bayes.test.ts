import { expect, test } from "vitest";
import { bayes } from "./bayes";

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
