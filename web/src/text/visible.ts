/** Text for people: characters that cannot be seen, or that move other text about, are written by name. As src/pofx/report/visible.py. */

export const NEWLINE = "⏎";

// What Python's `isprintable` refuses: control, format, private, unassigned and lone surrogates; all separators but the space.
const HIDDEN = /[\p{C}\p{Z}]/u;
const EVERY_HIDDEN = /[\p{C}\p{Z}]/gu;
const SHORT: Record<string, string> = { "\t": "\\t", "\r": "\\r", " ": " " };

/** A text on one line: control and format characters escaped (\x1b, \u202e), a line end as ⏎. Spaces stay spaces. */
export function visible(text: string): string {
  return HIDDEN.test(text) ? text.replace(EVERY_HIDDEN, (ch) => (ch === "\n" ? NEWLINE : escaped(ch))) : text;
}

/** A text that keeps its line ends and tabs, for an element with `white-space: pre-wrap`. */
export function visibleLines(text: string): string {
  return text.replace(EVERY_HIDDEN, (ch) => (ch === "\n" || ch === "\t" ? ch : escaped(ch)));
}

/** The beginning of a text on one line; a longer text ends in "…". */
export function excerpt(text: string, longest = 80): string {
  const head = Array.from(text.slice(0, 2 * longest + 2));
  const shown = visible(head.slice(0, longest).join(""));
  return head.length <= longest && text.length <= 2 * longest + 2 ? shown : `${shown.slice(0, -1)}…`;
}

/** The name of a token, as a record has it; a combining mark gets a ◌ to sit on. */
export function tokenName(name: string): string {
  return /^\p{M}/u.test(name) ? `◌${name}` : name;
}

function escaped(ch: string): string {
  const short = SHORT[ch];
  if (short !== undefined) return short;
  const code = ch.codePointAt(0) ?? 0;
  const digits = code.toString(16);
  if (code < 0x100) return `\\x${digits.padStart(2, "0")}`;
  return code < 0x10000 ? `\\u${digits.padStart(4, "0")}` : `\\U${digits.padStart(8, "0")}`;
}
