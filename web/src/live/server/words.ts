/** POST /v1/words: the surprisal of each word, the mass of all tokens that may end it included. */

import type { Worded } from "../../records/words";
import { post, Refusal, refusalOf, type ErrorBody } from "./server";

export async function words(model: string, text: string, given: string, signal: AbortSignal): Promise<Worded> {
  const [found] = (await post<{ texts: (Worded | ErrorBody)[] }>("v1/words", { model, texts: [text], given }, signal)).texts;
  if (found === undefined) throw new Refusal("the answer has no words", "no_answer", [], 200);
  if ("error" in found) throw refusalOf(found, 200);
  return found;
}
