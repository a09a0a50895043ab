/** The answers of POST /v1/classify and GET /v1/classifiers. */

import type { Nats } from "./score";

export type Label = string | number | boolean;

export interface ClassOfText {
  label: Label;
  prior_nats: Nats;
  likelihood_nats: Nats;
  posterior_nats: Nats;
  posterior: number;
}

export interface TextClasses {
  text: string;
  label: Label | null;
  posterior: number;
  log_evidence_nats: number;
  outlier_p: number | null;
  rejected: boolean | null;
  posteriors: Record<string, number>;
  classes: ClassOfText[];
}

export interface Classifier {
  classifier: string;
  classes: { label: Label; documents: number; prior_nats: Nats; prior: number }[];
  models: number;
  power: number;
  held_out: number;
}
