/** The record of `pofx words --json`. */

import type { Nats, Terms } from "./score";

export interface Word {
  /** Number of the word, from 0; null for text between regions. */
  index: number | null;
  word: string;
  /** Where the word begins and ends, characters. */
  start: number;
  end: number;
  surprisal_nats: Nats;
  surprisal_bits: Nats;
  ending_nats: Nats;
  bounded: boolean;
  entropy_nats: Nats;
  tokens: number;
  seen: number;
}

export interface Worded {
  text: string;
  given?: string;
  total_nats: Nats;
  terms: Terms;
  words: Word[];
}
