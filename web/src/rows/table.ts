/** A file of rows as columns, as `score -o` writes it. */

/** −∞ and ∞ are the texts "-inf" and "inf", as in JSONL. */
export type Cell = string | number | boolean | null;

export interface Bad {
  n: number;
  /** The first ones: where, and what is wrong. */
  first: { line: number; why: string }[];
}

export interface Table {
  rows: number;
  columns: Map<string, Cell[]>;
  /** Lines that are no rows; they are left out. */
  bad: Bad;
  /** Columns of lists and objects; they are left out. */
  leftOut: { name: string; type: string }[];
}

/** Collects rows whose columns need not be known before. */
export class Collector {
  readonly table: Table = { rows: 0, columns: new Map(), bad: { n: 0, first: [] }, leftOut: [] };

  add(row: Iterable<[string, unknown]>): void {
    const { table } = this;
    for (const [name, value] of row) {
      if (value !== null && typeof value === "object") {
        if (!table.leftOut.some((c) => c.name === name))
          table.leftOut.push({ name, type: Array.isArray(value) ? "list" : "object" });
        continue;
      }
      let column = table.columns.get(name);
      if (column === undefined) table.columns.set(name, (column = []));
      while (column.length < table.rows) column.push(null);
      column[table.rows] = value as Cell;
    }
    table.rows++;
  }

  refuse(line: number, why: string): void {
    const { bad } = this.table;
    bad.n++;
    if (bad.first.length < 5) bad.first.push({ line, why });
  }

  /** The table, whose columns all have a cell a row. */
  done(): Table {
    for (const column of this.table.columns.values()) while (column.length < this.table.rows) column.push(null);
    return this.table;
  }
}

/** A number of a cell, or of the text of a cell as CSV has it; null where there is none. */
export function numberOf(cell: Cell | undefined): number | null {
  if (typeof cell === "number") return cell;
  if (typeof cell !== "string" || cell.trim() === "") return null;
  if (cell === "-inf") return -Infinity;
  if (cell === "inf") return Infinity;
  const read = Number(cell);
  return Number.isNaN(read) ? null : read;
}
