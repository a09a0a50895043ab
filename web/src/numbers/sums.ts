/** Terms as they are shown beside their sum, as src/pofx/report/sums.py shows them: the shown terms add up to the shown sum. */

import { fixed } from "./notation";

export interface Shown {
  terms: string[];
  total: string;
  /** The shown terms as numbers. */
  values: number[];
}

/**
 * The terms and their sum with so many decimals.
 * A term may differ from its own rounding by one unit of the last digit: the one that was rounded the furthest.
 * Terms that are not finite, or do not make the total, keep their own roundings.
 */
export function addends(terms: number[], total: number, digits = 3): Shown {
  const unit = 10 ** digits;
  const whole = terms.map((x) => rounded(x, digits));
  let off = rounded(total, digits) - whole.reduce((sum, x) => sum + x, 0);
  // A total that was itself changed by a unit, to fit sums of its own, is still a total of these terms.
  if (!(Math.abs(off) <= terms.length + 1)) return asTheyAre(terms, total, digits);
  const order = terms.map((_, k) => k);
  const error = (k: number): number => Math.sign(off) * (terms[k]! * unit - whole[k]!);
  order.sort((j, k) => error(k) - error(j));
  for (let n = 0; off !== 0 && terms.length; n++) {
    const step = Math.sign(off);
    whole[order[n % terms.length]!]! += step;
    off -= step;
  }
  return shown(whole, total, digits);
}

/**
 * The terms of a sum that equals the sum of the sides, which keep their own roundings: log prior + log p(text | model) is shown
 * as log posterior + log p(text), and log p(text) is the same number in each row.
 */
export function balanced(terms: number[], sides: number[], digits = 3): Shown {
  const total = sides.reduce((sum, x) => sum + rounded(x, digits), 0) / 10 ** digits;
  return addends(terms, total, digits);
}

/**
 * The terms of a sum as they are shown, and the sum up to each of them.
 * Every shown term and every shown sum lies within one unit of the last digit of the true one, and the last sum is the shown total.
 */
export function steps(terms: number[], total: number, digits = 3): { values: number[]; sums: number[] } {
  const unit = 10 ** digits;
  let sum = 0;
  const running = terms.map((x) => (sum += x));
  const infinite = running.findIndex((x) => !Number.isFinite(x));
  if (infinite >= 0) {
    const before = steps(terms.slice(0, infinite), running[infinite - 1] ?? 0, digits);
    return { values: [...before.values, ...terms.slice(infinite)], sums: [...before.sums, ...running.slice(infinite)] };
  }
  if (!(Math.abs(total - sum) * unit < 0.5)) return { values: terms, sums: running };
  const whole = terms.map((x) => Math.floor(x * unit + 0.5));
  const sums = new Array<number>(terms.length);
  // From the last sum back: each sum is the next one without its term. A term is changed where a sum would go astray.
  let above = rounded(total, digits);
  for (let k = terms.length - 1; k >= 0; k--) {
    sums[k] = above / unit;
    const off = above - whole[k]! - (running[k - 1] ?? 0) * unit;
    if (k === 0) whole[0] = above;
    else if (Math.abs(off) >= 1) whole[k]! += Math.sign(off);
    above -= whole[k]!;
  }
  return { values: whole.map((x) => x / unit), sums };
}

/** The difference of two shown totals. */
export function between(a: number, b: number, digits = 3): number {
  const found = (rounded(a, digits) - rounded(b, digits)) / 10 ** digits;
  return Number.isFinite(found) ? found : a - b;
}

/** The shown number in units of its last digit. */
function rounded(x: number, digits: number): number {
  return Math.sign(x) * Math.round(Number(Math.abs(x).toFixed(digits)) * 10 ** digits);
}

function shown(whole: number[], total: number, digits: number): Shown {
  const values = whole.map((x) => x / 10 ** digits);
  return { terms: values.map((x) => fixed(x, digits)), total: fixed(total, digits), values };
}

function asTheyAre(terms: number[], total: number, digits: number): Shown {
  return { terms: terms.map((x) => fixed(x, digits)), total: fixed(total, digits), values: terms };
}
