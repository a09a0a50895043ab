/** What may come next: POST /v1/next, /v1/tree, and draws as they end, from /v1/sample. */

import type { Draw } from "../../records/draw";
import type { Next } from "../../records/next";
import type { TreeAnswer } from "../../records/tree";
import { ask, Gone, post, refusalOf, type ErrorBody } from "./server";

/** How p is warped; null for a setting that changes nothing. */
export interface Warp {
  temperature: number | null;
  top_k: number | null;
  top_p: number | null;
}

export const UNWARPED: Warp = { temperature: null, top_k: null, top_p: null };

export function warps(warp: Warp): boolean {
  return warp.temperature !== null || warp.top_k !== null || warp.top_p !== null;
}

export function nextTokens(model: string, given: string, k: number, warp: Warp, signal: AbortSignal): Promise<Next> {
  return post("v1/next", { model, given, k, unit: "token", ...warp }, signal);
}

export function tree(
  asked: { model: string; given: string; after: number[]; k: number; depth: number },
  signal: AbortSignal,
): Promise<TreeAnswer> {
  return post("v1/tree", asked, signal);
}

export interface DrawsAsked {
  model: string;
  given: string;
  n: number;
  max_tokens: number;
  seed: number | null;
}

interface DrawEvent {
  index: number;
  draw: Draw;
}

/** Draws, each as soon as it has ended. */
export async function draws(
  asked: DrawsAsked,
  warp: Warp,
  came: (draw: Draw, index: number) => void,
  signal: AbortSignal,
): Promise<void> {
  const sent = {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify({ ...asked, ...warp, stream: true }),
  };
  for await (const data of events(await ask("v1/sample", sent, signal), signal)) {
    if (data === "[DONE]") return;
    const event = JSON.parse(data) as DrawEvent | ErrorBody;
    if ("error" in event) throw refusalOf(event, 200);
    came(event.draw, event.index);
  }
  throw new Gone("the server ended the stream early");
}

/** The data of server-sent events. */
async function* events(response: Response, signal: AbortSignal): AsyncGenerator<string> {
  const reader = response.body!.getReader();
  const decoder = new TextDecoder();
  let held = "";
  try {
    for (;;) {
      const { done, value } = await reader.read();
      held += decoder.decode(value, { stream: !done });
      const parts = held.split("\n\n");
      held = parts.pop() ?? "";
      for (const part of parts) if (part.startsWith("data: ")) yield part.slice("data: ".length);
      if (done) return;
    }
  } catch (error) {
    if (signal.aborted || !(error instanceof TypeError)) throw error;
    throw new Gone("the server ended the stream early", { cause: error });
  }
}
