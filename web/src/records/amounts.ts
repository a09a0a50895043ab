/** Amounts of one unit as bars, as src/pofx/report/html/amounts.py writes them; every number is a text with its digits. */

export interface Fact {
  before: string;
  number: string;
  after: string;
}

export interface Amount {
  name: string;
  /** The length of the bar, as a share of the track; null where there is no bar. */
  share: number | null;
  /** The length of a second bar, right of the first; 0 for none. */
  more: number;
  shown: string;
  /** A second number; "" for none. */
  beside: string;
  /** "main", "rest" for what is left over, or "sum" for the sum of the amounts above. */
  role: "main" | "rest" | "sum";
}

export interface Amounts {
  facts: Fact[];
  told: string;
  title: string;
  unit: string;
  beside: string;
  amounts: Amount[];
  note: string;
}
