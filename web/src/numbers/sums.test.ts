import { expect, test } from "vitest";
import { fixed } from "./notation";
import { addends, balanced, between, steps } from "./sums";

const read = (shown: string): number => Math.round(1000 * Number(shown.replace("−", "-")));
const sum = (xs: number[]): number => xs.reduce((s, x) => s + x, 0);

/** Terms of many sizes and signs, the same ones in every run. */
function* cases(): Generator<number[]> {
  let seed = 1;
  const random = (): number => (seed = (seed * 48271) % 2147483647) / 2147483647;
  for (let n = 0; n < 300; n++) {
    const size = [0.0003, 0.01, 1, 50, 3000][n % 5]!;
    yield Array.from({ length: 1 + (n % 70) }, () => (n % 3 ? -1 : Math.sign(random() - 0.5)) * size * random());
  }
}

test("shown terms add up to the shown sum, and differ from their own rounding by one unit at most", () => {
  for (const terms of cases()) {
    const shown = addends(terms, sum(terms));
    expect(sum(shown.terms.map(read))).toBe(read(shown.total));
    expect(shown.total).toBe(fixed(sum(terms)));
    shown.terms.forEach((x, k) => expect(Math.abs(read(x) - read(fixed(terms[k]!)))).toBeLessThanOrEqual(1));
  }
});

test("shown steps add up at every row, and the last sum is the shown total", () => {
  for (const terms of cases()) {
    const shown = steps(terms, sum(terms));
    let running = 0;
    let exact = 0;
    terms.forEach((x, k) => {
      const term = read(fixed(shown.values[k]!));
      running += term;
      exact += x;
      expect(read(fixed(shown.sums[k]!))).toBe(running);
      expect(Math.abs(running - 1000 * exact)).toBeLessThan(1 + 1e-6);
      expect(Math.abs(term - 1000 * x)).toBeLessThan(1 + 1e-6);
      if (x <= 0) expect(term).toBeLessThanOrEqual(0);
    });
    expect(fixed(shown.sums.at(-1)!)).toBe(fixed(sum(terms)));
  }
});

test("terms that no rounding can make a sum of keep their own", () => {
  expect(addends([-Infinity, 1], -Infinity)).toMatchObject({ terms: ["−∞", "1.000"], total: "−∞" });
  expect(addends([1, 2], 7)).toMatchObject({ terms: ["1.000", "2.000"], total: "7.000" });
  expect(addends([], 0)).toMatchObject({ terms: [], total: "0.000" });
  expect(steps([-1, -2], -7)).toEqual({ values: [-1, -2], sums: [-1, -3] });
  const impossible = steps([-0.0006, -0.0006, -Infinity, -1], -Infinity);
  expect(impossible.values.map((x) => fixed(x))).toEqual(["0.000", "−0.001", "−∞", "−1.000"]);
  expect(impossible.sums.map((x) => fixed(x))).toEqual(["0.000", "−0.001", "−∞", "−∞"]);
});

test("a difference is that of the shown totals", () => {
  expect(fixed(between(1.0004, 0.0006))).toBe("0.999");
  expect(between(-Infinity, -1)).toBe(-Infinity);
  expect(between(-Infinity, -Infinity)).toBeNaN();
});

test("both sides of Bayes' rule add up, and log p(text) keeps its rounding", () => {
  const shown = balanced([-0.6934, -26.5704], [-0.0004, -27.2634]);
  expect(shown.terms).toEqual(["−0.693", "−26.570"]);
  expect(balanced([-0.6934, -26.5704], [-0.0014, -27.2624]).terms).toEqual(["−0.693", "−26.570"]);
  expect(balanced([-1.0004, -2.0004], [-1.5004, -1.5004]).terms).toEqual(["−1.000", "−2.000"]);
  const odd = balanced([-1.0004, -2.0004], [-1.5006, -1.5002]);
  expect(odd.terms.map(read).reduce((a, b) => a + b)).toBe(-3001);
  expect(balanced([-Infinity, -1], [-Infinity, -2]).terms).toEqual(["−∞", "−1.000"]);
});
