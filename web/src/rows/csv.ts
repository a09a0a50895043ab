/** CSV and TSV as `score -o` writes them (RFC 4180), read part by part. */

import type { Reader } from "./reader";
import type { Collector } from "./table";

export function csvReader(rows: Collector, comma: "," | "\t"): Reader {
  let names: string[] | null = null;
  let cells: string[] = [];
  let cell = "";
  // "start" of a cell, inside it "plain" or "quoted", or at a quote that may end it.
  let at: "start" | "plain" | "quoted" | "quote" = "start";
  let line = 1;
  let begun = 1;
  let wrong = "";
  let returned = false;

  const endCell = (): void => {
    cells.push(cell);
    cell = "";
    at = "start";
  };
  const endRow = (): void => {
    const blank = cells.length === 0 && cell === "" && at === "start";
    endCell();
    const row = cells;
    cells = [];
    if (blank) return;
    if (names === null) names = row.map((name, k) => (k === 0 ? name.replace(/^\uFEFF/, "") : name));
    else if (wrong) rows.refuse(begun, wrong);
    else if (row.length !== names.length) rows.refuse(begun, `${row.length} cells in place of ${names.length}`);
    else rows.add(row.map((value, k) => [names![k]!, value === "" ? null : value]));
    wrong = "";
  };
  return {
    more(text) {
      for (const ch of text) {
        if (at === "quoted") {
          if (ch === '"') at = "quote";
          else cell += ch;
          if (ch === "\n") line++;
          continue;
        }
        if (at === "quote" && ch === '"') {
          cell += ch;
          at = "quoted";
          continue;
        }
        if (ch === comma) endCell();
        else if (ch === "\n") {
          if (!(returned && cells.length === 0 && cell === "" && at === "start")) endRow();
          line++;
          begun = line;
        } else if (ch === "\r") endRow();
        else if (ch === '"' && at === "start") at = "quoted";
        else {
          if (at === "quote") wrong = "text after a closing quote";
          cell += ch;
          at = "plain";
        }
        returned = ch === "\r";
      }
    },
    end() {
      if (at === "quoted") wrong = "a quote without its end";
      if (cells.length || cell !== "" || at !== "start") endRow();
    },
  };
}
