/** The record of `pofx classify evaluate --json`. A share of no texts is null. */

import type { Nats } from "./score";

export interface Evaluation {
  documents: number;
  accuracy: number;
  log_loss_nats: Nats;
  calibration_error: number;
  calibration: { low: number; high: number; n: number; confidence: number; accuracy: number }[];
  classes: string[];
  recall: (number | null)[];
  precision: (number | null)[];
  /** Counts, the true class by row and the most probable class by column. */
  confusion: number[][];
}
