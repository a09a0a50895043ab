/** What a reader has chosen of a file of rows, and which file it is: what a permalink keeps of the tab. */

/** A file by what tells it from others; the file itself is in no link. */
export interface FileMark {
  name: string;
  rows: number;
  /** The first digits of its SHA-256. */
  hash: string;
}

export interface View {
  /** Bits per byte; null for the middle of the bars. */
  threshold: number | null;
  /** Which texts are listed. */
  list: "below" | "above" | "bar";
  /** The number of the chosen bar, from 0. */
  bar: number | null;
  /** The row of the chosen point, from 0. */
  point: number | null;
}

export const PLAIN: View = { threshold: null, list: "below", bar: null, point: null };
const DIGITS = 12;

export function fileMark(name: string, rows: number, sha256: string): FileMark {
  return { name, rows, hash: sha256.slice(0, DIGITS) };
}

/** A view and its file as options by name; one that has the usual value is "". */
export function written(view: View, file: FileMark | null): Record<string, string> {
  const number = (x: number | null): string => (x === null ? "" : String(x));
  return {
    threshold: number(view.threshold),
    list: view.list === PLAIN.list ? "" : view.list,
    bar: number(view.bar),
    point: number(view.point),
    file: file?.name ?? "",
    rows: number(file?.rows ?? null),
    hash: file?.hash ?? "",
  };
}

/** The view that options say. An option that says nothing of use has the usual value. */
export function readView(option: (name: string) => string): View {
  const list = option("list");
  return {
    threshold: numberOf(option("threshold")),
    list: list === "above" || list === "bar" ? list : PLAIN.list,
    bar: indexOf(option("bar")),
    point: indexOf(option("point")),
  };
}

/** The file that options name; null for none. */
export function readFileMark(option: (name: string) => string): FileMark | null {
  const [name, rows, hash] = [option("file"), indexOf(option("rows")), option("hash")];
  return name && rows !== null && /^[0-9a-f]{12}$/.test(hash) ? { name, rows, hash } : null;
}

function numberOf(said: string): number | null {
  const value = Number(said);
  return said.trim() !== "" && Number.isFinite(value) ? value : null;
}

function indexOf(said: string): number | null {
  return /^\d{1,9}$/.test(said) ? Number(said) : null;
}
