/** POST /v1/score: log p of texts, term by term. */

import type { Score } from "../../records/score";
import { post, Refusal, refusalOf, type ErrorBody } from "./server";

/** One text that the model could not score, in an answer whose other texts are scored. */
export type ScoreOrError = Score | (ErrorBody & { text: string });

export interface ScoreOptions {
  model?: string | null;
  given?: string;
  /** Whether log P(text …) is asked for, without the EOS term. */
  prefix?: boolean;
  /** How many likeliest tokens are listed at each place; by default as many as the length of the texts allows. */
  top?: number;
}

// An answer lists at most 500,000 likeliest tokens, and each takes about 70 bytes. A token spells at least one byte.
const LISTED = 400_000;

/** The scores of several texts; a text that the model cannot score has a refusal in its place. */
export async function scoreEach(
  texts: string[],
  options: ScoreOptions,
  signal: AbortSignal,
): Promise<(Score | Refusal)[]> {
  const encoder = new TextEncoder();
  const size = texts.reduce((n, text) => n + encoder.encode(text).length + 1, 0);
  const top = options.top ?? Math.min(8, Math.floor(LISTED / (size + encoder.encode(options.given ?? "").length + 1)));
  const asked = {
    texts,
    given: options.given ?? "",
    model: options.model ?? null,
    prefix: options.prefix ?? false,
    rank: true,
    entropy: true,
    top,
  };
  const answer = await post<{ scores: ScoreOrError[] }>("v1/score", asked, signal);
  return answer.scores.map((found) => ("error" in found ? refusalOf(found, 200) : found));
}

/** The score of one text, or its refusal. */
export async function score(text: string, options: ScoreOptions, signal: AbortSignal): Promise<Score> {
  const [found] = await scoreEach([text], options, signal);
  if (found === undefined) throw new Refusal("the answer has no score", "no_answer", [], 200);
  if (found instanceof Refusal) throw found;
  return found;
}
