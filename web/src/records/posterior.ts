/** The record of `pofx posterior --json`: which of several models a text is from. */

import type { Nats, Terms } from "./score";

export interface ModelPosterior {
  model: string;
  prior_nats: Nats;
  evidence_nats: Nats;
  evidence_interval_nats: [Nats, Nats];
  posterior_nats: Nats;
  posterior_interval_nats: [Nats, Nats];
  posterior: number;
}

export interface Posterior {
  text: string;
  total_nats: Nats;
  best: string;
  regret_nats: Nats;
  models: ModelPosterior[];
  /** Log posterior before each token and after the last, one number a model. */
  path_nats: Nats[][];
  terms: Terms;
}
