/** A text as its words, each with the surprisal that counts there, and what stands between two words. */

import { nats } from "../../records/score";
import type { Worded } from "../../records/words";

export interface Region {
  text: string;
  /** Whether white space with a line end stands before the word. */
  line: boolean;
  /** What stands before the word and is no white space: text between regions. */
  between: string;
  surprisal: number;
  named: boolean;
}

/** The words in order. Text that no word covers, and that is no white space, stands before the next word. */
export function regions(worded: Worded): Region[] {
  const characters = Array.from(worded.text);
  let at = 0;
  return worded.words.map((w) => {
    const gap = characters.slice(at, w.start).join("");
    at = Math.max(at, w.end);
    return {
      text: w.word,
      line: gap.includes("\n"),
      between: gap.trim(),
      surprisal: nats(w.surprisal_nats),
      named: w.index !== null,
    };
  });
}
