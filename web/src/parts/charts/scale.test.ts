import { expect, test } from "vitest";
import type { Series } from "../../records/findings";
import { bars, line } from "./scale";

type Points = Series["points"];

test.each<[Points]>([
  [[]],
  [[["a", 1]]],
  [[["a", null]]],
  [[["a", "inf"], ["b", "-inf"]]],
  [[["1", 1], ["2", null], ["3", 2], ["4", "inf"], ["5", 3]]],
  [[["a", 0], ["b", 0]]],
  [[["a", -1], ["b", 2]]],
  [[["a", 1e300], ["b", -1e300]]],
])("marks stand within the chart, whatever the numbers are", (points) => {
  for (const bar of bars(points).bars) {
    expect(bar.left).toBeGreaterThanOrEqual(0);
    expect(bar.left + bar.width).toBeLessThanOrEqual(1 + 1e-9);
  }
  for (const { x, y } of line(points).runs.flat()) {
    expect(x).toBeGreaterThanOrEqual(0);
    expect(x).toBeLessThanOrEqual(1);
    expect(y).toBeGreaterThanOrEqual(0);
    expect(y).toBeLessThanOrEqual(1);
  }
});

test("bars of negative values run left of zero", () => {
  expect(bars([["a", -1], ["b", 3]])).toEqual({
    zero: 0.25,
    bars: [
      { name: "a", value: -1, left: 0, width: 0.25 },
      { name: "b", value: 3, left: 0.25, width: 0.75 },
    ],
  });
});

test("a line has a gap where a value is not finite, and numbers as names are abscissae", () => {
  const drawn = line([["1", 1], ["2", null], ["10", 2], ["101", 4]]);
  expect(drawn.runs.map((run) => run.length)).toEqual([1, 2]);
  expect(drawn.runs[1]?.[0]?.x).toBeCloseTo(0.09);
  expect(drawn.ticks.map((t) => t.name)).toEqual(["1", "10", "101"]);
  expect(drawn.levels.map((l) => l.value)).toEqual([4, 2, 0]);
});
