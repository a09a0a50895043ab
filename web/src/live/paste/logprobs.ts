/** Answers of other servers with log-probabilities, as scores of this page: OpenAI's chat and legacy completions, and vLLM's prompts. */

import type { Alternative, Score, Token } from "../../records/score";
import { encoded, strictly } from "../../text/bytes";

/** A pasted text and what its answer does not say. */
export interface Pasted {
  title: string;
  score: Score;
  leavesOut: string[];
}

/** What was pasted is no answer with log-probabilities. */
export class NoLogprobs extends Error {}

/** A token of any of the formats. */
interface Raw {
  text: string;
  bytes: number[] | null;
  /** null where the answer gives no number. */
  logp: number | null;
  rank?: number;
  id?: number;
  top: { text: string; bytes: number[] | null; logp: number; id?: number }[] | null;
}

// OpenAI and pofx write −9999 where the logarithm is −∞, or is too small to be told.
const LOWEST = -9999;

type Json = Record<string, unknown>;

/** The texts of a pasted answer. Raises NoLogprobs. */
export function readLogprobs(pasted: string): Pasted[] {
  let answer: unknown;
  try {
    // Numbers as names of fields would lose their order, and vLLM's first one is the token of the prompt.
    answer = JSON.parse(pasted.replace(/(?<!\\)"(\d+)"(?=\s*:\s*\{)/g, '"#$1"'));
  } catch (error) {
    throw new NoLogprobs(`expected JSON, got another text (${(error as Error).message})`);
  }
  const found = textsOf(answer);
  if (found.length === 0)
    throw new NoLogprobs(
      "expected an answer with logprobs.content, logprobs.tokens or prompt_logprobs, got JSON without them; ask the server with logprobs",
    );
  return found;
}

function textsOf(answer: unknown): Pasted[] {
  if (Array.isArray(answer)) {
    if (answer.some((t) => isJson(t) && "token" in t && "logprob" in t)) return [chat(answer, "Generated text")];
    if (answer.some((t) => isJson(t) && Object.keys(t).some((k) => /^#\d+$/.test(k)))) return [vllm(answer, null, "Prompt")];
    return answer.flatMap(textsOf);
  }
  if (!isJson(answer)) return [];
  if (Array.isArray(answer.choices)) {
    const several = answer.choices.length > 1;
    return answer.choices.flatMap((choice: unknown, k) =>
      textsOf(isJson(choice) ? { prompt_logprobs: answer.prompt_logprobs, prompt_token_ids: answer.prompt_token_ids, ...choice } : choice).map(
        (p) => (several ? { ...p, title: `${p.title}, choice ${k + 1}` } : p),
      ),
    );
  }
  const out: Pasted[] = [];
  if (Array.isArray(answer.prompt_logprobs))
    out.push(vllm(answer.prompt_logprobs, numbers(answer.prompt_token_ids), "Prompt"));
  const logprobs = isJson(answer.logprobs) ? answer.logprobs : answer;
  if (Array.isArray(logprobs.content)) out.push(chat(logprobs.content, "Generated text"));
  else if (Array.isArray(logprobs.tokens) && Array.isArray(logprobs.token_logprobs)) out.push(legacy(logprobs));
  return out;
}

function chat(content: unknown[], title: string): Pasted {
  const one = (t: Json) => ({ text: String(t.token ?? ""), bytes: numbers(t.bytes), logp: number(t.logprob) });
  const raw = content.filter(isJson).map((t): Raw => {
    const top = Array.isArray(t.top_logprobs) ? t.top_logprobs.filter(isJson).map(one) : [];
    return { ...one(t), top: top.length ? top.flatMap((a) => (a.logp === null ? [] : [{ ...a, logp: a.logp }])) : null };
  });
  return pastedOf(raw, title, true);
}

function legacy(logprobs: Json): Pasted {
  const tokens = logprobs.tokens as unknown[];
  const values = logprobs.token_logprobs as unknown[];
  const tops = Array.isArray(logprobs.top_logprobs) ? (logprobs.top_logprobs as unknown[]) : [];
  const raw = tokens.map((t, k): Raw => {
    const top = tops[k];
    const listed = isJson(top) ? Object.entries(top).map(([text, logp]) => ({ ...spelling(text), logp: number(logp) ?? LOWEST })) : null;
    return { ...spelling(String(t)), logp: number(values[k]), top: listed };
  });
  return pastedOf(raw, "Completion", raw[0]?.logp !== null);
}

function vllm(prompt: unknown[], ids: number[] | null, title: string): Pasted {
  const raw = prompt.map((place, k): Raw => {
    if (!isJson(place)) return { text: "", bytes: null, logp: null, top: null, ...(ids ? { id: ids[k] } : {}) };
    const all = Object.entries(place).flatMap(([key, v]) =>
      isJson(v)
        ? [{ id: Number(key.replace("#", "")), text: String(v.decoded_token ?? ""), bytes: null, logp: number(v.logprob) ?? LOWEST, rank: number(v.rank) }]
        : [],
    );
    const came = all.find((t) => t.id === ids?.[k]) ?? all[0];
    if (came === undefined) return { text: "", bytes: null, logp: null, top: null };
    const top = all;
    return { text: came.text, bytes: null, logp: came.logp, id: came.id, top, ...(came.rank === null ? {} : { rank: came.rank }) };
  });
  const out = pastedOf(raw, title, false);
  if (ids === null) out.leavesOut.push("The ids of the prompt: the first token of each place is taken for the one that came.");
  return out;
}

/** `bytes:\xe2\x82` is how OpenAI and pofx write a token that is no UTF-8. */
function spelling(text: string): { text: string; bytes: number[] | null } {
  if (!/^bytes:(\\x[0-9a-fA-F]{2})+$/.test(text)) return { text, bytes: null };
  return { text, bytes: [...text.matchAll(/\\x(..)/g)].map((m) => parseInt(m[1]!, 16)) };
}

function pastedOf(raw: Raw[], title: string, afterPrompt: boolean): Pasted {
  const skipped = raw.findIndex((t) => t.logp !== null);
  if (skipped < 0) throw new NoLogprobs("expected log-probabilities, got none: each one is null");
  const before = raw.slice(0, skipped);
  const own = raw.slice(skipped);
  const gap = own.findIndex((t) => t.logp === null);
  if (gap >= 0) throw new NoLogprobs(`expected a log-probability of each token, got none of token ${skipped + gap + 1}`);

  const names = new Map<string, number>();
  const idOf = (t: { text: string; id?: number }): number => t.id ?? (names.get(t.text) ?? (names.set(t.text, names.size), names.size - 1));
  const alternative = (t: { text: string; bytes: number[] | null; logp: number; id?: number }): Alternative => {
    const data = bytes(t);
    return { id: idOf(t), token: named(t.text), bytes: btoa(String.fromCharCode(...data)), nats: t.logp <= LOWEST ? "-inf" : t.logp };
  };
  let at = 0;
  const parts: Uint8Array[] = [];
  const tokens = own.map((t): Token => {
    const data = bytes(t);
    parts.push(data);
    const start = at;
    at += data.length;
    return {
      ...alternative({ ...t, logp: t.logp! }),
      start,
      end: at,
      seen: -1,
      ...(t.rank === undefined ? {} : { rank: t.rank }),
      ...(t.top === null ? {} : { top: t.top.toSorted((a, b) => b.logp - a.logp).map(alternative) }),
    };
  });
  const data = joined(parts);
  const total = own.reduce((sum, t) => sum + (t.logp! <= LOWEST ? -Infinity : t.logp!), 0);
  const given = before.map((t) => t.text).join("");
  const score: Score = {
    text: strictly(data) ?? new TextDecoder().decode(data),
    total_nats: null,
    prefix_nats: Number.isFinite(total) ? total : "-inf",
    bits_per_byte: data.length ? (Number.isFinite(total) ? -total / Math.LN2 / data.length : "inf") : null,
    terms: { bytes: data.length, given_bytes: before.length || afterPrompt ? Math.max(1, encoded(given).length) : 0, end: false },
    given,
    tokens,
  };
  return { title, score, leavesOut: leavesOut(raw, own, before, afterPrompt) };
}

function leavesOut(raw: Raw[], own: Raw[], before: Raw[], afterPrompt: boolean): string[] {
  const out: string[] = [];
  const first = before.map((t) => t.text).join("");
  if (before.length)
    out.push(`p(x1): the first token${first ? ` (${named(first)})` : ""} has no log-probability, so the number is that of the rest after it.`);
  else if (afterPrompt) out.push("The prompt: the number is that of this text after a prompt, or after a start symbol, that the answer does not name.");
  out.push("EOS: the answer has no term for the end of the text, so the number is that of all texts that go on so.");
  const listed = Math.max(0, ...own.slice(0, 1000).map((t) => t.top?.length ?? 0));
  out.push(listed ? `All but the top ${listed} tokens of each place.` : "The alternatives of each token.");
  out.push(own.every((t) => t.rank !== undefined) ? "The entropy of each place." : "The rank of each token, and the entropy of each place.");
  out.push("How many tokens before each one the model saw.");
  if (raw.every((t) => t.bytes === null)) {
    const broken = raw.some((t) => t.text.includes("\ufffd"));
    out.push(`The bytes of tokens${broken ? ": a token with half a character is shown as �" : ""}.`);
  }
  if (own.some((t) => t.logp! <= LOWEST)) out.push("Log-probabilities below −9999, which stands for −∞ here.");
  return out;
}

function bytes(t: { text: string; bytes: number[] | null }): Uint8Array {
  if (t.bytes !== null) return Uint8Array.from(t.bytes);
  // A TextEncoder takes 2 µs a call, and an answer may have 100,000 tokens with 5 alternatives each.
  const out = new Uint8Array(t.text.length);
  for (let k = 0; k < out.length; k++) {
    const code = t.text.charCodeAt(k);
    if (code > 127) return encoded(t.text);
    out[k] = code;
  }
  return out;
}

function named(text: string): string {
  return text.replaceAll(" ", "␣").replaceAll("\n", "⏎");
}

function joined(parts: Uint8Array[]): Uint8Array {
  const out = new Uint8Array(parts.reduce((n, p) => n + p.length, 0));
  let at = 0;
  for (const p of parts) {
    out.set(p, at);
    at += p.length;
  }
  return out;
}

function isJson(value: unknown): value is Json {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function number(value: unknown): number | null {
  return typeof value === "number" && Number.isFinite(value) ? value : null;
}

function numbers(value: unknown): number[] | null {
  return Array.isArray(value) && value.every((v) => typeof v === "number") ? value : null;
}
