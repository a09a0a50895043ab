/** The record of `pofx next --json`. */

import type { Nats, Terms } from "./score";

export interface Outcome {
  id?: number;
  token?: string;
  byte?: string;
  character?: string;
  word?: string;
  bytes: string | null;
  nats: Nats;
  p: number;
  p_low: number;
  p_high: number;
}

export interface Next {
  given: string;
  /** How p was warped, over HTTP; absent for p itself. */
  warp?: string;
  unit: "token" | "byte" | "character" | "word";
  top: Outcome[];
  /** All other outcomes together; their number under the plural of the unit, where it is known. */
  rest: { nats: Nats; p: number; p_low: number; p_high: number; each_below: number } & Partial<
    Record<"tokens" | "bytes" | "characters" | "words", number>
  >;
  entropy_nats: Nats;
  entropy_interval_nats: [Nats, Nats];
  calls: number;
  terms: Terms;
}
