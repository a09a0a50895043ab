/** The classifiers of the server, and the classes of a text. */

import type { Classifier, TextClasses } from "../../records/classes";
import { get, post, Refusal, refusalOf, type ErrorBody } from "./server";

export async function classifiers(signal: AbortSignal): Promise<Classifier[]> {
  return (await get<{ classifiers: Classifier[] }>("v1/classifiers", signal)).classifiers;
}

export interface Classified {
  classifier: string;
  power: number;
  found: TextClasses;
}

/** The classes of one text under the prior of the training. */
export async function classify(text: string, classifier: string, signal: AbortSignal): Promise<Classified> {
  const answer = await post<{ classifier: string; power: number; posteriors: (TextClasses | ErrorBody)[] }>(
    "v1/classify",
    { texts: [text], classifier },
    signal,
  );
  const [found] = answer.posteriors;
  if (found === undefined) throw new Refusal("the answer has no classes", "no_answer", [], 200);
  if ("error" in found) throw refusalOf(found, 200);
  return { classifier: answer.classifier, power: answer.power, found };
}
