/** Bars of equal width over numbers that are sorted. */

export interface Bin {
  low: number;
  high: number;
  /** Which numbers lie in it: from `first` up to, and not with, `end`. */
  first: number;
  end: number;
}

/** Bars with round edges, about `wanted` of them. A number on an edge lies in the bar above it. */
export function histogram(sorted: number[], wanted = 30): Bin[] {
  if (sorted.length === 0) return [];
  const lowest = sorted[0]!;
  const highest = sorted[sorted.length - 1]!;
  const width = round((highest - lowest) / wanted);
  const start = Math.floor(lowest / width);
  const count = Math.floor(highest / width) - start + 1;
  const bins: Bin[] = [];
  let at = 0;
  for (let k = 0; k < count; k++) {
    const first = at;
    const last = k === count - 1;
    while (at < sorted.length && (last || sorted[at]! < edge(start + k + 1, width))) at++;
    bins.push({ low: edge(start + k, width), high: edge(start + k + 1, width), first, end: at });
  }
  return bins;
}

/** How many of the sorted numbers are at most t. */
export function atMost(sorted: number[], t: number): number {
  let low = 0;
  let high = sorted.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (sorted[middle]! <= t) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** A multiple of a round width, without the dust of floats such as 0.30000000000000004. */
function edge(k: number, width: number): number {
  return Number((k * width).toPrecision(12));
}

/** The smallest of 1, 2 or 5 times a power of ten that is at least x; 0.1 for no width at all. */
function round(x: number): number {
  if (!(x > 1e-12)) return 0.1;
  const power = 10 ** Math.floor(Math.log10(x));
  const factor = [1, 2, 5, 10].find((f) => f * power >= x * (1 - 1e-9)) ?? 10;
  return Number((factor * power).toPrecision(3));
}
