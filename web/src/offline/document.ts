/** The data of an offline page, as src/pofx/report/html/document.py writes it. */

import type { Cell } from "../parts/table/cell";
import type { Amounts } from "../records/amounts";
import type { Conditioned } from "../records/conditioned";
import type { CorpusReport } from "../records/corpus";
import type { Curve } from "../records/curve";
import type { Draw } from "../records/draw";
import type { Evaluation } from "../records/evaluation";
import type { Audit, Series } from "../records/findings";
import type { ModelCard } from "../records/model";
import type { Next } from "../records/next";
import type { Posterior } from "../records/posterior";
import type { Worded } from "../records/words";
import type { PageScore } from "./tokens";

/** A text of several, with its id and the columns that were kept of its row. */
export interface Named {
  id?: string;
  kept?: Record<string, string>;
}

export type Block =
  | { kind: "paragraph"; text: string }
  | { kind: "code"; text: string; label: string }
  | { kind: "quote"; text: string; label: string }
  | { kind: "table"; headings: string[]; rows: Cell[][]; note: string }
  | { kind: "chart"; series: Series }
  | ({ kind: "amounts" } & Amounts)
  | { kind: "curve"; curve: Curve }
  | { kind: "model"; model: ModelCard }
  | { kind: "scores"; texts: (Named & { score: PageScore; told: string })[] }
  | { kind: "words"; texts: (Named & { words: Worded; told: string })[] }
  | { kind: "next"; next: Next; told: string }
  | { kind: "posteriors"; texts: (Named & { posterior: Posterior })[] }
  | { kind: "comparisons"; names: [string, string]; texts: (Named & { a: PageScore; b: PageScore })[] }
  | {
      kind: "conditioned";
      conditioned: Conditioned;
      /** How many outcomes and draws there are; the record may hold fewer. */
      counts: { outcomes: number; draws: number };
      outcome: string;
      suffix: string;
    }
  | { kind: "evaluation"; evaluation: Evaluation }
  | { kind: "corpus"; report: CorpusReport; gloss: string }
  | { kind: "draws"; draws: Draw[] }
  | ({ kind: "audit" } & Audited)
  | { kind: "audits"; audits: (Audited & { name: string })[] };

export interface Audited {
  audit: Audit;
  gloss: string;
  evidence: string;
  candidates_note?: string;
  endings_note?: string;
}

export interface Section {
  title: string;
  blocks: Block[];
}

/** How the page was made. An empty string is a fact that is not known. */
export interface Made {
  version: string;
  command: string;
  models: { name: string; x0: string; eos: string; fingerprint: string }[];
}

export interface Document {
  title: string;
  lead: string;
  /** Whether the page stands within another page, and so has no header and no footer. */
  compact: boolean;
  made: Made;
  sections: Section[];
}
