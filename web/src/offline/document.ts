/** The data of an offline page, as src/pofx/report/html/page.py writes it. */

import type { Score } from "../records/score";

export type Section =
  | { kind: "paragraph"; title?: string; text: string }
  | { kind: "score"; title?: string; score: Score };

export interface Document {
  title: string;
  lead: string;
  sections: Section[];
}
