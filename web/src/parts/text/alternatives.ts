/** The likeliest tokens in one place, the token that came, and the mass of all others: the bars of a focus. */

import { nats, type Alternative, type Token } from "../../records/score";

export interface Row {
  /** The token; null for everything else together. */
  alternative: Alternative | null;
  p: number;
  /** Whether it is the token of the text. */
  came: boolean;
}

/** The rows, likeliest first; the token that came is always among them. Empty where the record lists no likely tokens. */
export function alternatives(token: Token): Row[] {
  if (token.top === undefined || token.top.length === 0) return [];
  const rows: Row[] = token.top
    .filter((a) => nats(a.nats) > -Infinity)
    .map((a) => ({ alternative: a, p: Math.exp(nats(a.nats)), came: a.id === token.id }));
  if (!rows.some((r) => r.came)) rows.push({ alternative: token, p: Math.exp(nats(token.nats)), came: true });
  const rest = 1 - rows.reduce((sum, r) => sum + r.p, 0);
  // The sum of a complete distribution is 1 but for the last bits.
  if (rest > 1e-9) rows.push({ alternative: null, p: rest, came: false });
  return rows;
}
