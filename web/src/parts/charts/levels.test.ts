import { expect, test } from "vitest";
import { levels, place } from "./levels";

test.each([
  [[1.93, 7.8], [0, 2, 4, 6, 8]],
  [[2.01, 2.09], [2, 2.025, 2.05, 2.075, 2.1]],
  [[3, 3], [3, 3.1]],
  [[], [0, 1]],
  [[NaN, 0.5, Infinity], [0.5, 0.6]],
])("levels of %j", (values, expected) => {
  const found = levels(values);
  const finite = values.filter(Number.isFinite);
  if (finite.length) {
    expect(found[0]).toBeLessThanOrEqual(Math.min(...finite));
    expect(found.at(-1)).toBeGreaterThanOrEqual(Math.max(...finite));
  }
  expect(found.length).toBeLessThanOrEqual(5);
  if (new Set(finite).size !== 1) expect(found).toEqual(expected);
});

test("the place of a value", () => {
  expect(place(3, 2, 4)).toBe(0.5);
  expect(place(3, 3, 3)).toBe(0);
});
