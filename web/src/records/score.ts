/** The record of `pofx score --json` and of POST /v1/score. */

/** Nats. JSON has no −∞: over HTTP it is null beside `impossible`, and in a file it is the string "-inf". */
export type Nats = number | null | "-inf" | "inf";

export interface Terms {
  bytes: number;
  given_bytes: number;
  end: boolean;
  [name: string]: unknown;
}

export interface Alternative {
  id: number;
  token: string;
  /** What the token spells, in base64; null for a control token. */
  bytes: string | null;
  nats: Nats;
}

export interface Token extends Alternative {
  /** Offsets in the text, in bytes. */
  start: number;
  end: number;
  /** The effective context: how many tokens before this one the model saw. */
  seen: number;
  rank?: number;
  entropy_nats?: number | null;
  top?: Alternative[];
}

export interface Score {
  text: string;
  total_nats: Nats;
  prefix_nats: Nats;
  bits_per_byte: Nats;
  terms: Terms;
  given?: string;
  interval_nats?: [Nats, Nats];
  tokens?: Token[];
}

/** −∞, ∞ or a number. `null` is log 0, since a record gives null only to an infinite term. */
export function nats(value: Nats | undefined): number {
  if (value === null || value === undefined || value === "-inf") return -Infinity;
  return value === "inf" ? Infinity : value;
}
