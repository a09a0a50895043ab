/** The notations of numbers, as src/pofx/report/numerals.py writes them, with a true minus sign. */

const MINUS = "−";

/** A number with a fixed count of decimals; −0.000 is 0.000. */
export function fixed(x: number, digits = 3): string {
  if (!Number.isFinite(x)) return infinite(x);
  const shown = Math.abs(x).toFixed(digits);
  return x < 0 && /[1-9]/.test(shown) ? MINUS + shown : shown;
}

/** A number with a count of significant digits: 0.0123, 41.2, 1,230, 1.2e−7. */
export function significant(x: number, digits = 3): string {
  if (!Number.isFinite(x)) return infinite(x);
  if (x === 0) return "0";
  const size = Math.abs(x);
  if (size < 1e-4 || size >= 1e9) {
    const [mantissa = "", exponent = ""] = x.toExponential(digits - 1).split("e");
    return minus(`${mantissa}e${Number(exponent)}`);
  }
  const rounded = Number(x.toExponential(digits - 1));
  if (Math.abs(rounded) >= 10 ** (digits - 1)) return minus(count(Math.round(rounded)));
  return minus(rounded.toFixed(digits - 1 - Math.floor(Math.log10(Math.abs(rounded)))));
}

/** p = exp(log p) with 3 significant digits, also below 1e−300, where floats end. */
export function probability(logp: number): string {
  if (logp === -Infinity) return "0";
  if (logp > -690) return significant(Math.exp(logp));
  const exponent = Math.floor(logp / Math.LN10);
  const mantissa = Number(Math.exp(logp - exponent * Math.LN10).toFixed(2));
  return minus(mantissa >= 10 ? `1.00e${exponent + 1}` : `${mantissa.toFixed(2)}e${exponent}`);
}

/** A probability as a share: 12.3 %. */
export function percent(p: number): string {
  return `${significant(100 * p)} %`;
}

/** A count with a comma at each thousand. */
export function count(n: number): string {
  return minus(n.toLocaleString("en-US"));
}

function minus(shown: string): string {
  return shown.replaceAll("-", MINUS);
}

function infinite(x: number): string {
  if (Number.isNaN(x)) return "nan";
  return x > 0 ? "∞" : `${MINUS}∞`;
}
