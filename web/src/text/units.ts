/** How a scored text is cut for the eye: runs of tokens that spell whole characters, words, or single tokens as bytes. */

import { nats, type Score, type Token } from "../records/score";
import { characterWidth, decoded, encoded, fromBase64, hexadecimal } from "./bytes";

export type UnitKind = "tokens" | "words" | "bytes";

/** A run of tokens: one token; several where they spell parts of one character; or all that begin in a word. */
export interface Unit {
  /** The index of the first token, and of the one after the last. */
  lo: number;
  hi: number;
  /** What the tokens spell: with line ends and other controls as they are, and `\xNN` for stray bytes. */
  text: string;
  /** Σ log p of the tokens, nats. */
  logp: number;
}

/** The tokens of the text, without EOS. */
export function ownTokens(score: Score): Token[] {
  const tokens = score.tokens ?? [];
  return score.terms.end ? tokens.slice(0, -1) : tokens;
}

/** The bytes of the text. A text of bytes that are not UTF-8 stands as escapes in its record, but its tokens spell it. */
export function bytesOf(score: Score): Uint8Array {
  const data = encoded(score.text);
  const tokens = ownTokens(score);
  const size = tokens.at(-1)?.end ?? 0;
  if (data.length === size || tokens.length === 0) return data;
  const out = new Uint8Array(size);
  for (const t of tokens) {
    const spelled = t.bytes === null ? new Uint8Array() : fromBase64(t.bytes);
    if (spelled.length === t.end - t.start) out.set(spelled, t.start);
  }
  return out;
}

/** The units of a text, in order. Together they hold each token once, EOS not counted. */
export function units(score: Score, kind: UnitKind): Unit[] {
  const data = bytesOf(score);
  const tokens = ownTokens(score);
  if (kind === "bytes")
    return tokens.map((t, k) => ({
      lo: k,
      hi: k + 1,
      text: hexadecimal(data.subarray(t.start, t.end)) + " ",
      logp: nats(t.nats),
    }));
  const whole = pieces(tokens, data);
  return kind === "words" ? words(whole) : whole;
}

/** The index of the unit that holds a token. */
export function unitOf(all: Unit[], token: number): number {
  let low = 0;
  let high = all.length - 1;
  while (low < high) {
    const middle = (low + high + 1) >> 1;
    if (all[middle]!.lo <= token) low = middle;
    else high = middle - 1;
  }
  return low;
}

/** The shortest runs of tokens that spell whole characters. A token that spells nothing joins its neighbour. */
function pieces(tokens: Token[], data: Uint8Array): Unit[] {
  const ends = characterEnds(data);
  const out: Unit[] = [];
  let lo = 0;
  let logp = 0;
  for (let i = 0; i < tokens.length; i++) {
    logp += nats(tokens[i]!.nats);
    const start = tokens[lo]!.start;
    const stop = tokens[i]!.end;
    const last = i + 1 === tokens.length;
    if (!last && (stop === start || !ends[Math.min(stop, data.length)])) continue;
    const left = out.at(-1);
    if (stop === start && left !== undefined) {
      left.hi = i + 1;
      left.logp += logp;
    } else out.push({ lo, hi: i + 1, text: decoded(data.subarray(start, stop)), logp });
    lo = i + 1;
    logp = 0;
  }
  return out;
}

/** Pieces joined to words: a word begins with the white space before it. */
function words(pieces: Unit[]): Unit[] {
  const out: Unit[] = [];
  let letters = false; // whether the last word has more than white space
  for (const piece of pieces) {
    const word = out.at(-1);
    if (word === undefined || (letters && (/^\s/.test(piece.text) || /\s$/.test(word.text)))) {
      out.push({ ...piece });
      letters = false;
    } else {
      word.hi = piece.hi;
      word.text += piece.text;
      word.logp += piece.logp;
    }
    letters ||= /\S/.test(piece.text);
  }
  return out;
}

/** Whether a character begins or ends at each offset. A byte that belongs to no character counts as one. */
function characterEnds(data: Uint8Array): Uint8Array {
  const ends = new Uint8Array(data.length + 1);
  ends[0] = 1;
  for (let i = 0; i < data.length; ) {
    i += characterWidth(data, i) || 1;
    ends[i] = 1;
  }
  return ends;
}
