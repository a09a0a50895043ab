/** Round numbers for the horizontal lines of a chart whose axis need not begin at zero. */

const STEPS = [1, 2, 2.5, 5, 10];
// The most spaces between lines: more names would not fit a chart of 190 pixels.
const SPACES = 4;

/** Levels in rising order, evenly spaced by a round number, such that all finite values lie between the first and the last. */
export function levels(values: number[]): number[] {
  const finite = values.filter(Number.isFinite);
  const least = Math.min(...finite);
  const most = Math.max(...finite);
  if (!finite.length) return [0, 1];
  const span = most - least || Math.abs(most) || 1;
  const size = 10 ** Math.floor(Math.log10(span / SPACES));
  for (const step of STEPS.map((s) => s * size)) {
    const first = Math.floor(least / step);
    const last = Math.max(first + 1, Math.ceil(most / step));
    if (last - first <= SPACES) return Array.from({ length: last - first + 1 }, (_, k) => Number(((first + k) * step).toPrecision(12)));
  }
  return [least, least + span];
}

/** The place of a value between two levels, as a share from the lower one. */
export function place(value: number, low: number, high: number): number {
  return (value - low) / (high - low || 1);
}
