/** What the page asks of the server: the native endpoints of `pofx serve`, and their refusals. */

import type { Score } from "../records/score";

/** A refusal of the server, with its advice. */
export class Refusal extends Error {
  constructor(
    message: string,
    readonly code: string,
    readonly advice: string[],
    readonly status: number,
  ) {
    super(message);
  }
}

interface ErrorBody {
  error: { message: string; code: string; advice?: string[] };
}

/** One text that the model could not score, in an answer whose other texts are scored. */
export type Scored = Score | (ErrorBody & { text: string });

export async function score(
  text: string,
  options: { model?: string | null; given?: string; top?: number },
  signal: AbortSignal,
): Promise<Score> {
  const answer = await post<{ scores: Scored[] }>(
    "v1/score",
    { texts: [text], given: options.given ?? "", model: options.model ?? null, rank: true, entropy: true, top: options.top ?? 8 },
    signal,
  );
  const first = answer.scores[0];
  if (first === undefined) throw new Refusal("expected a score, got none", "no_answer", [], 200);
  if ("error" in first) throw refusal(first, 200);
  return first;
}

export async function post<T>(path: string, body: unknown, signal: AbortSignal): Promise<T> {
  const response = await fetch(path, {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify(body),
    signal,
  });
  const answer: unknown = await response.json();
  if (!response.ok) throw refusal(answer as ErrorBody, response.status);
  return answer as T;
}

function refusal(body: ErrorBody, status: number): Refusal {
  return new Refusal(body.error.message, body.error.code, body.error.advice ?? [], status);
}
