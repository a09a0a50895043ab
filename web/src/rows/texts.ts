/** The texts of a table: what the page shows of each, and what it cannot show. */

import { numberOf, type Cell, type Table } from "./table";

export interface Text {
  /** Its number in the file, from 0. */
  row: number;
  id: string;
  /** Null where the file has no texts. */
  text: string | null;
  bits: number;
}

export interface Texts {
  texts: Text[];
  /** Rows without bits per byte: empty texts, and texts with an error. */
  without: number;
  /** Texts of probability zero. */
  impossible: number;
  /** The first errors of rows. */
  errors: { id: string; error: string }[];
}

/** Why a table is no file of texts with their bits per byte; null where it is one. */
export function unsuitable(table: Table): string | null {
  if (table.columns.has("bits_per_byte")) return null;
  if (table.columns.has("surprisal_bits")) return "the file has a row a token or a word; write a row a text: pofx score FILE -o rows.jsonl";
  const names = [...table.columns.keys()].slice(0, 8).join(", ");
  return `the file has no column bits_per_byte${names ? `, only ${names}` : ""}; write one with: pofx score FILE -o rows.jsonl`;
}

export function textsOf(table: Table): Texts {
  const bits = table.columns.get("bits_per_byte") ?? [];
  const found: Texts = { texts: [], without: 0, impossible: 0, errors: [] };
  const cell = (name: string, row: number): Cell => table.columns.get(name)?.[row] ?? null;
  for (let row = 0; row < table.rows; row++) {
    const id = cell("id", row);
    const shown = id === null ? `row ${row + 1}` : String(id);
    const error = cell("error", row);
    const value = numberOf(bits[row]);
    if (error !== null && found.errors.length < 5) found.errors.push({ id: shown, error: String(error) });
    if (value === null) found.without++;
    else if (!Number.isFinite(value)) found.impossible++;
    else {
      const text = cell("text", row);
      found.texts.push({ row, id: shown, text: text === null ? (table.columns.has("text") ? "" : null) : String(text), bits: value });
    }
  }
  found.texts.sort((a, b) => a.bits - b.bits || a.row - b.row);
  return found;
}

/** The other cells of a row, by name. */
export function cellsOf(table: Table, row: number): [string, Cell][] {
  return [...table.columns].filter(([name, column]) => name !== "text" && column[row] !== null).map(([name, column]) => [name, column[row]!]);
}

/** Lines of JSONL with the id of each text. */
export function idLines(texts: Text[], table: Table): string {
  const ids = table.columns.get("id");
  return texts.map(({ row, bits }) => `${JSON.stringify({ id: ids?.[row] ?? row + 1, bits_per_byte: bits })}\n`).join("");
}
