/** Terms as they are shown above their sum. */

import { fixed } from "./notation";

/**
 * The terms and their sum with so many decimals, such that the shown terms add up to the shown sum.
 * `values` has the shown terms as numbers. A term may differ from its own rounding by one unit of the last digit: the one that was rounded the furthest.
 */
export function addends(terms: number[], total: number, digits = 3): { terms: string[]; total: string; values: number[] } {
  const unit = 10 ** digits;
  if (![...terms, total].every((x) => Number.isFinite(x) && Math.abs(x) * unit < 2 ** 50))
    return { terms: terms.map((x) => fixed(x, digits)), total: fixed(total, digits), values: terms };
  const whole = terms.map((x) => Math.round(x * unit));
  let off = Math.round(total * unit) - whole.reduce((sum, x) => sum + x, 0);
  const order = terms.map((_, k) => k);
  const error = (k: number): number => Math.sign(off) * (terms[k]! * unit - whole[k]!);
  order.sort((j, k) => error(k) - error(j));
  for (let n = 0; off !== 0 && terms.length; n++) {
    const step = Math.sign(off);
    whole[order[n % terms.length]!]! += step;
    off -= step;
  }
  const values = whole.map((x) => x / unit);
  return { terms: values.map((x) => fixed(x, digits)), total: fixed(total, digits), values };
}
