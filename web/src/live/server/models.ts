/** The models of the server: GET /v1/models, and x0 and EOS of each. */

import { get, post } from "./server";

export interface Model {
  id: string;
  /** Context, tokens; null for no bound. */
  max_model_len: number | null;
}

/** The answer of POST /v1/audit. */
export interface Audit {
  model: string;
  verdict: string | null;
  reason: string | null;
  begin: { id: number | null; text: string; known: string; note: string };
  end: number | null;
  advice: string[];
}

interface TokenizerInfo {
  bos_token: string | null;
  eos_token: string | null;
}

/** What the header says of the model that is asked. */
export interface Ends {
  /** The name of x0; "" for none. */
  x0: string;
  /** How x0 is known: trained, declared, … or none. */
  known: string;
  note: string;
  /** The name of EOS; "" for none. */
  eos: string;
  verdict: string | null;
}

export async function models(signal: AbortSignal): Promise<Model[]> {
  return (await get<{ data: Model[] }>("v1/models", signal)).data;
}

export async function ends(model: string, signal: AbortSignal): Promise<Ends> {
  const audit = await post<Audit>("v1/audit", { model }, signal);
  const names = await get<TokenizerInfo>(`tokenizer_info?model=${encodeURIComponent(model)}`, signal);
  return {
    x0: audit.begin.known === "none" ? "" : (names.bos_token ?? audit.begin.text),
    known: audit.begin.known,
    note: audit.begin.note,
    eos: names.eos_token ?? (audit.end === null ? "" : `id ${audit.end}`),
    verdict: audit.verdict,
  };
}
