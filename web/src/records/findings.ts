/** Findings of an audit or of a report on a corpus, as `--json` gives them. A number that does not exist is null. */

export type CheckVerdict = "pass" | "warn" | "fail";

/** A number of a finding. nan, and a number that was not measured, is null. */
export type Measured = number | null | "inf" | "-inf";

export interface Series {
  title: string;
  unit: string;
  kind: "bars" | "line";
  points: [string, Measured][];
}

export interface Finding {
  check: string;
  verdict: CheckVerdict;
  value: Measured;
  bound: Measured;
  unit: string;
  why: string;
  series: Series | null;
}

export interface BeginCandidate {
  name: string;
  role: string;
  current: boolean;
  first_bits: Measured;
  byte_bits: Measured;
  same: Measured;
  rest_bits: Measured;
  entropy_bits: Measured;
  top: [string, number][];
  verdict: CheckVerdict;
  why: string;
}

export interface EndCandidate {
  name: string;
  current: boolean;
  at_end: Measured;
  elsewhere: Measured;
  gain: Measured;
  se: Measured;
  sum: Measured;
}

export interface Audit {
  verdict: "joint" | "conditional" | "prefix-only" | "improper" | "scores-only";
  reason: string;
  findings: Finding[];
  documents: number;
  seed: number;
  candidates: BeginCandidate[];
  endings: EndCandidate[];
}

/** A measured number as a float: nan where there is none. */
export function measured(value: Measured): number {
  if (value === null) return NaN;
  return value === "inf" ? Infinity : value === "-inf" ? -Infinity : value;
}

/** How many findings passed, warn and failed: `5 pass, 1 warn, 0 fail`. */
export function outcomes(findings: Finding[]): string {
  const verdicts: CheckVerdict[] = ["pass", "warn", "fail"];
  return verdicts.map((v) => `${findings.filter((f) => f.verdict === v).length} ${v}`).join(", ");
}

export const SYMBOL: Record<CheckVerdict, string> = { pass: "✓", warn: "!", fail: "✗" };
