import { expect, test } from "vitest";
import { movedPrior, posterior, priorsOf } from "./classes";

test("the posterior is the joint probability divided by the sum of all", () => {
  const prior = [0.5, 0.3, 0.2];
  const p = [0.01, 0.2, 0.05];
  const joint = prior.map((q, k) => q * p[k]!);
  const sum = joint.reduce((a, b) => a + b);
  const found = posterior(prior, p.map(Math.log));
  found.logs.forEach((log, k) => expect(Math.exp(log)).toBeCloseTo(joint[k]! / sum, 12));
  expect(found.total).toBeCloseTo(Math.log(sum), 12);
});

test("a power posterior tempers the likelihood", () => {
  const found = posterior([0.5, 0.5], [-10, -12], 0.5);
  expect(found.logs[0]! - found.logs[1]!).toBeCloseTo(1, 12);
});

test("texts of thousands of nats, and classes that are impossible", () => {
  expect(Math.exp(posterior([0.5, 0.5], [-90000, -90000]).logs[0]!)).toBeCloseTo(0.5, 9);
  expect(posterior([1, 0], [-5, -1]).logs).toEqual([0, -Infinity]);
  expect(posterior([0.5, 0.5], [-Infinity, -1]).logs).toEqual([-Infinity, 0]);
  expect(posterior([0.5, 0.5], [-Infinity, -Infinity]).logs[0]).toBeNaN();
});

test("a moved prior leaves the ratios of the others, and the sum is 1", () => {
  const moved = movedPrior([0.5, 0.3, 0.2], 0, 0.9);
  expect(moved.reduce((a, b) => a + b)).toBeCloseTo(1, 12);
  expect(moved[1]! / moved[2]!).toBeCloseTo(1.5, 12);
  expect(movedPrior([1, 0, 0], 0, 0.5)).toEqual([0.5, 0.25, 0.25]);
  expect(movedPrior([1], 0, 0.2)).toEqual([1]);
});

test("priors of a permalink sum to 1, and anything else is none", () => {
  expect(priorsOf([0.1 + 0.2, 0.7].join(","))).toEqual([0.1 + 0.2, 0.7]);
  for (const written of ["", "0.5", "1,1", "-1,2", "a,1", ",1", "Infinity,0"]) expect(priorsOf(written)).toBeNull();
});
