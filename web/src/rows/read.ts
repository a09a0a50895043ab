/** A file of JSONL or CSV into a table, read as it streams; packed by gzip or not. */

import { csvReader } from "./csv";
import type { Reader } from "./reader";
import { Collector, type Table } from "./table";

/** The most bytes that are read, unpacked. */
export const MOST = 64 * 2 ** 20;

export type Kind = "jsonl" | "csv" | "tsv" | "parquet";

/** What a file is by the ending of its name; null for any other. */
export function kindOf(name: string): Kind | null {
  const found = /\.(jsonl|ndjson|csv|tsv|parquet)(\.gz)?$/.exec(name.toLowerCase());
  if (found === null || (found[1] === "parquet" && found[2])) return null;
  return found[1] === "ndjson" ? "jsonl" : (found[1] as Kind);
}

/** The file is too large, or no text. */
export class Unreadable extends Error {}

/**
 * Read a file of JSONL, CSV or TSV. Lines that are no rows are counted and named.
 * `told` is called with the bytes that are read. Raises Unreadable, or what `signal` was aborted with.
 */
export async function readRows(
  file: File,
  kind: "jsonl" | "csv" | "tsv",
  signal: AbortSignal,
  told: (bytes: number) => void,
): Promise<Table> {
  const packed = file.name.toLowerCase().endsWith(".gz");
  const stream = packed ? file.stream().pipeThrough(new DecompressionStream("gzip")) : file.stream();
  const reader = (stream as ReadableStream<Uint8Array<ArrayBuffer>>).getReader();
  const decoder = new TextDecoder("utf-8", { fatal: true });
  const rows = new Collector();
  const lines = kind === "jsonl" ? jsonlReader(rows) : csvReader(rows, kind === "csv" ? "," : "\t");
  let read = 0;
  try {
    for (;;) {
      signal.throwIfAborted();
      const { done, value } = await part(reader);
      if (done) break;
      read += value.byteLength;
      if (read > MOST) throw new Unreadable(`the file has more than ${MOST / 2 ** 20} MB${packed ? " unpacked" : ""}`);
      lines.more(text(decoder, value));
      told(read);
    }
    lines.more(text(decoder));
  } finally {
    void reader.cancel().catch(() => undefined);
  }
  lines.end();
  return rows.done();
}

async function part(reader: ReadableStreamDefaultReader<Uint8Array<ArrayBuffer>>): ReturnType<typeof reader.read> {
  try {
    return await reader.read();
  } catch (error) {
    throw new Unreadable("the file cannot be read to its end: it was cut off, or it changed", { cause: error });
  }
}

function text(decoder: TextDecoder, value?: Uint8Array<ArrayBuffer>): string {
  try {
    return value ? decoder.decode(value, { stream: true }) : decoder.decode();
  } catch (error) {
    throw new Unreadable("the file is no text in UTF-8", { cause: error });
  }
}

export function jsonlReader(rows: Collector): Reader {
  let rest = "";
  let line = 0;
  const read = (text: string): void => {
    line++;
    if (text.trim() === "") return;
    let value: unknown;
    try {
      value = JSON.parse(text);
    } catch {
      rows.refuse(line, "no JSON");
      return;
    }
    if (value === null || typeof value !== "object" || Array.isArray(value)) rows.refuse(line, "no object");
    else rows.add(Object.entries(value));
  };
  return {
    more(text) {
      const lines = (rest + text).split("\n");
      rest = lines.pop() ?? "";
      lines.forEach(read);
    },
    end() {
      if (rest !== "") read(rest);
      rest = "";
    },
  };
}
