/** Words for the candidates of x0 and for verdicts. */

const ROLES: Record<string, string> = {
  begin: "the x0 of its training",
  bos: "declared as BOS",
  eos: "ends texts (EOS)",
  unk: "stands for unknown words",
  pad: "fills up batches",
  separator: "separates texts",
  newline: "a line end",
  none: "nothing before the text",
  twice: "the x0 two times",
};

/** What a candidate is. */
export function roleInWords(role: string): string {
  return ROLES[role] ?? role;
}

// As src/pofx/report/verdicts.py has them; a test compares both.
const GLOSS: Record<string, string> = {
  "joint": "x0 is trained, EOS ends texts, p sums to 1",
  "conditional": "only p(y|x), for an x you name",
  "prefix-only": "x0 but no EOS: prefix probabilities only",
  "improper": "something does not sum to 1",
  "scores-only": "no fault found in the numbers, but no whole distribution was seen",
};

/** What the verdict of an audit means. */
export function verdictInWords(verdict: string): string {
  return GLOSS[verdict] ?? "";
}
