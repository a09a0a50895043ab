/** Where the marks of a chart stand: bars and lines between the least and the greatest finite value, zero included. */

import { measured, type Series } from "../../records/findings";

export interface Bar {
  name: string;
  value: number;
  /** Left end and width of the bar, as shares of the track; no bar where the value is not finite. */
  left: number;
  width: number;
}

export interface Bars {
  bars: Bar[];
  /** The place of zero, as a share of the track. */
  zero: number;
}

export function bars(points: Series["points"]): Bars {
  const values = points.map(([, v]) => measured(v));
  const [low, high] = range(values);
  const at = (v: number): number => (v - low) / (high - low);
  const zero = at(0);
  return {
    zero,
    bars: points.map(([name], k) => {
      const value = values[k] ?? NaN;
      const end = Number.isFinite(value) ? at(value) : zero;
      return { name, value, left: Math.min(zero, end), width: Math.abs(end - zero) };
    }),
  };
}

export interface Line {
  /** Runs of neighbouring finite points, as shares: x from the left, y from the top. */
  runs: { x: number; y: number }[][];
  /** The values of the horizontal lines, and the place of each. */
  levels: { value: number; y: number }[];
  /** Names of points below the axis, and the place of each: the first, one near the middle, the last. */
  ticks: { name: string; x: number }[];
}

export function line(points: Series["points"]): Line {
  const ys = points.map(([, v]) => measured(v));
  const xs = abscissae(points.map(([name]) => name));
  const [low, high] = range(ys);
  const left = xs[0] ?? 0;
  const width = (xs.at(-1) ?? 0) - left || 1;
  const place = (k: number): number => ((xs[k] ?? 0) - left) / width;
  const down = (v: number): number => (high - v) / (high - low);
  const runs: Line["runs"] = [[]];
  ys.forEach((v, k) => {
    if (Number.isFinite(v)) runs.at(-1)?.push({ x: place(k), y: down(v) });
    else if (runs.at(-1)?.length) runs.push([]);
  });
  const middle = xs.map((_, k) => k).sort((a, b) => Math.abs(place(a) - 0.5) - Math.abs(place(b) - 0.5))[0];
  const named = points.length ? [...new Set([0, middle ?? 0, points.length - 1])] : [];
  const levels = [...new Set([high, low < 0 && high > 0 ? 0 : low + (high - low) / 2, low])];
  return {
    runs: runs.filter((run) => run.length),
    levels: levels.map((value) => ({ value, y: down(value) })),
    ticks: named.map((k) => ({ name: points[k]?.[0] ?? "", x: place(k) })),
  };
}

/** The least and the greatest finite value, zero included; never equal. */
function range(values: number[]): [number, number] {
  let low = 0;
  let high = 0;
  for (const v of values)
    if (Number.isFinite(v)) {
      low = Math.min(low, v);
      high = Math.max(high, v);
    }
  return low === high ? [low, low + 1] : [low, high];
}

/** The names as numbers, where all are rising numbers; else 0, 1, 2, … */
function abscissae(names: string[]): number[] {
  const xs = names.map((name) => (name.trim() ? Number(name.replaceAll(",", "")) : NaN));
  const rising = xs.every((x, k) => Number.isFinite(x) && (k === 0 || (xs[k - 1] ?? 0) < x));
  return rising ? xs : names.map((_, k) => k);
}
