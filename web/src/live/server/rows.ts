/** POST /v1/rows: the columns of a file of Parquet, which a browser cannot read itself. */

import type { Cell, Table } from "../../rows/table";
import { ask } from "./server";

interface Columns {
  rows: number;
  columns: Record<string, Cell[]>;
  left_out: { name: string; type: string }[];
}

export async function parquetRows(file: Blob, signal: AbortSignal): Promise<Table> {
  const sent = { method: "POST", headers: { "Content-Type": "application/octet-stream" }, body: file };
  const { rows, columns, left_out } = (await (await ask("v1/rows", sent, signal)).json()) as Columns;
  return { rows, columns: new Map(Object.entries(columns)), bad: { n: 0, first: [] }, leftOut: left_out };
}
