/** The factors of the chain rule as rows, and the same rows as CSV, JSON and LaTeX. */

import { count, fixed, probability } from "../../numbers/notation";
import { steps } from "../../numbers/sums";
import { nats, type Score } from "../../records/score";
import { decoded, fromBase64 } from "../../text/bytes";
import { tokenName } from "../../text/visible";

/** One factor p(x_i | x_<i). */
export interface Row {
  /** The position, from 1. */
  i: number;
  id: number;
  token: string;
  /** What the token spells, in base64; null for EOS and other control tokens. */
  bytes: string | null;
  logp: number;
  /** Σ log p up to this factor. */
  running: number;
  /** log p and the running sum as they are shown: they add up to the last digit. */
  shown: { logp: number; running: number };
  rank: number | null;
  entropy: number | null;
  /** The effective context, tokens; null where it is not known. */
  seen: number | null;
  end: boolean;
}

/** The rows of a score. The last running sum is the total of the record: both are sums of the same terms. */
export function rows(score: Score): Row[] {
  const tokens = score.tokens ?? [];
  let running = 0;
  const shown = steps(tokens.map((t) => nats(t.nats)), total(score));
  return tokens.map((t, k) => {
    const last = k + 1 === tokens.length;
    running = last ? total(score) : running + nats(t.nats);
    return {
      i: k + 1,
      id: t.id,
      token: tokenName(t.token),
      bytes: t.bytes,
      logp: nats(t.nats),
      running,
      shown: { logp: shown.values[k]!, running: shown.sums[k]! },
      rank: t.rank ?? null,
      entropy: t.entropy_nats ?? null,
      seen: t.seen >= 0 ? t.seen : null,
      end: score.terms.end && last,
    };
  });
}

/** log p of a complete text, or log P where EOS is no term. */
export function total(score: Score): number {
  return nats(score.terms.end ? score.total_nats : score.prefix_nats);
}

/** The name of the total: "p(x)", "P(x | given)". */
export function totalName(score: Score): string {
  return `${score.terms.end ? "p" : "P"}(x${score.terms.given_bytes ? " | given" : ""})`;
}

const HEADS = ["i", "id", "token", "bytes_base64", "p", "nats", "running_nats", "rank", "entropy_nats", "seen"];

/** Comma-separated values with all digits. A cell that a spreadsheet would take for a formula begins with an apostrophe. */
export function csv(score: Score): string {
  const lines = rows(score).map((r) => {
    const cells = [r.i, r.id, cell(spelled(r)), r.bytes ?? "", exact(Math.exp(r.logp)), exact(r.logp), exact(r.running)];
    return [...cells, r.rank ?? "", r.entropy === null ? "" : exact(r.entropy), r.seen ?? ""].join(",");
  });
  return [HEADS.join(","), ...lines].join("\r\n") + "\r\n";
}

/** The record as the server gave it. */
export function json(score: Score): string {
  return JSON.stringify(score, null, 1);
}

/** A tabular with the digits that the page shows. */
export function latex(score: Score): string {
  const line = (r: Row) =>
    [
      r.end ? "EOS" : `\\texttt{${escaped(r.token)}}`,
      `$${number(probability(r.logp))}$`,
      `$${number(fixed(r.shown.logp))}$`,
      `$${number(fixed(r.shown.running))}$`,
      r.rank === null ? "" : count(r.rank),
      r.entropy === null ? "" : `$${number(fixed(r.entropy))}$`,
    ].join(" & ") + " \\\\";
  const given = score.terms.given_bytes ? " \\mid \\mathrm{given}" : "";
  return [
    "\\begin{tabular}{rlrrrrr}",
    "$i$ & token & $p$ & $\\log p$ & sum & rank & entropy \\\\",
    "\\hline",
    ...rows(score).map((r) => `${r.i} & ${line(r)}`),
    "\\hline",
    `\\multicolumn{4}{r}{$\\log ${score.terms.end ? "p" : "P"}(x${given}) =$} & $${number(fixed(total(score)))}$ & & \\\\`,
    "\\end{tabular}",
  ].join("\n");
}

function spelled(row: Row): string {
  return row.bytes === null || row.end ? row.token : decoded(fromBase64(row.bytes));
}

function cell(text: string): string {
  const safe = /^[=+\-@\t\r]/.test(text) ? `'${text}` : text;
  return /[",\r\n']|^\s|\s$/.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe;
}

function exact(x: number): string {
  return Number.isFinite(x) ? String(x) : x > 0 ? "inf" : "-inf";
}

function number(shown: string): string {
  const plain = shown.replaceAll("−", "-").replace("∞", "\\infty").replaceAll(",", "{,}");
  const [mantissa, exponent] = plain.split("e");
  return exponent === undefined ? plain : `${mantissa} \\cdot 10^{${exponent}}`;
}

const LATEX: Record<string, string> = { "\\": "\\textbackslash{}", "~": "\\textasciitilde{}", "^": "\\textasciicircum{}", "␣": "\\textvisiblespace{}" };

function escaped(text: string): string {
  return text.replace(/[\\~^␣]|[#$%&_{}]/g, (ch) => LATEX[ch] ?? `\\${ch}`);
}
