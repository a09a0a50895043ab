/** How the page asks the server: one request, its answer, and its refusal. */

import { key } from "./key.svelte";

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

/** The server does not answer, or answers something else. */
export class Gone extends Error {}

export interface ErrorBody {
  error: { message: string; code: string; advice?: string[] };
}

/** Send JSON to a path of the server, and give its answer. Raises Refusal, Gone, or what `signal` was aborted with. */
export async function post<T>(path: string, body: unknown, signal: AbortSignal): Promise<T> {
  const sent = { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(body) };
  return (await (await ask(path, sent, signal)).json()) as T;
}

/** Read a path of the server. */
export async function get<T>(path: string, signal: AbortSignal): Promise<T> {
  return (await (await ask(path, {}, signal)).json()) as T;
}

/** One request, with the key; the answer's body is not read yet, so that a stream can be read as it comes. */
export async function ask(path: string, sent: RequestInit, signal: AbortSignal): Promise<Response> {
  const headers = new Headers(sent.headers);
  if (key.value) headers.set("Authorization", `Bearer ${key.value}`);
  let response: Response;
  try {
    response = await fetch(path, { ...sent, headers, signal });
  } catch (error) {
    if (signal.aborted) throw error;
    throw new Gone("the server does not answer", { cause: error });
  }
  if (response.ok) return response;
  let body: unknown;
  try {
    body = await response.json();
  } catch (error) {
    if (signal.aborted) throw error;
    throw new Gone(`the server answered ${response.status} without a reason`, { cause: error });
  }
  throw refusalOf(body, response.status);
}

/** The refusal that an answer holds, or one of the texts of an answer. */
export function refusalOf(body: unknown, status: number): Refusal {
  const error = (body as Partial<ErrorBody>).error;
  if (typeof error?.message !== "string") return new Refusal(`the server answered ${status}`, "unknown", [], status);
  const advice = error.advice ?? [];
  return new Refusal(withoutAdvice(error.message, advice), error.code, advice, status);
}

/** A message of the server ends with the advice, which the page lists below the message. */
function withoutAdvice(message: string, advice: string[]): string {
  const at = advice[0] === undefined ? -1 : message.lastIndexOf(`; ${advice[0]}`);
  return at > 0 ? message.slice(0, at) : message;
}
