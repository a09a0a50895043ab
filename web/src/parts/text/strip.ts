/** Lines of a strip: a value a token, thinned to the peaks of equal stretches where a screen has no room for all. */

/** The greatest finite value of each of at most `most` equal stretches. ∞ counts as the greatest finite value of all. */
export function peaks(values: number[], most: number): number[] {
  const finite = values.filter(Number.isFinite);
  let ceiling = 0;
  for (const v of finite) ceiling = Math.max(ceiling, v);
  const n = Math.min(most, values.length);
  const out = new Array<number>(n).fill(0);
  for (let k = 0; k < values.length; k++) {
    const at = Math.floor((k * n) / values.length);
    const v = values[k]!;
    out[at] = Math.max(out[at]!, v === Infinity ? ceiling : Number.isFinite(v) ? v : 0);
  }
  return out;
}

/** Steps as an SVG path in a box of `values.length` by `height`, where `top` is the upper edge. */
export function path(values: number[], top: number, height: number, most = 600): string {
  const thinned = peaks(values, most);
  const width = values.length / (thinned.length || 1);
  const y = (v: number) => (height * (1 - v / top)).toFixed(1);
  return `M0 ${height}` + thinned.map((v, k) => `V${y(v)}H${+((k + 1) * width).toFixed(2)}`).join("") + `V${height}`;
}
