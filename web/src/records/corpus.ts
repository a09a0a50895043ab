/** The record of `pofx corpus --json`. */

import type { CheckVerdict, Finding, Measured } from "./findings";

export interface CorpusReport {
  verdict: CheckVerdict;
  findings: Finding[];
  documents: number;
  bytes: number;
  held_out: number;
  sources: string[];
  effective: Measured;
  loss: { value: Measured; low: Measured; high: Measured; level: number; n: number; clusters: number; model: string };
  copies: string[][];
  midway: string[];
  seed: number;
}
