import { expect, test } from "vitest";
import { csvReader } from "./csv";
import { atMost, histogram } from "./histogram";
import { jsonlReader, kindOf, readRows } from "./read";
import type { Reader } from "./reader";
import { Collector, numberOf, type Table } from "./table";
import { idLines, textsOf, unsuitable } from "./texts";

const signal = new AbortController().signal;

/** A table, read in parts of so many characters. */
function read(make: (rows: Collector) => Reader, text: string, size = 3): Table {
  const rows = new Collector();
  const reader = make(rows);
  for (let k = 0; k < text.length; k += size) reader.more(text.slice(k, k + size));
  reader.end();
  return rows.done();
}

const csv = (text: string, size?: number): Table => read((rows) => csvReader(rows, ","), text, size);

test("JSONL: rows with other columns, bad lines by their number, lists left out", () => {
  const text = '{"id":"a","bits_per_byte":1.5}\n\nnot json\n[1]\n{"id":"b","text":"x\\ny","top":[1]}\n{"id":"c"';
  for (const size of [1, 2, 7, 1000]) {
    const table = read(jsonlReader, text, size);
    expect(table.rows).toBe(2);
    expect(table.columns.get("bits_per_byte")).toEqual([1.5, null]);
    expect(table.columns.get("text")).toEqual([null, "x\ny"]);
    expect(table.bad).toEqual({ n: 3, first: [{ line: 3, why: "no JSON" }, { line: 4, why: "no object" }, { line: 6, why: "no JSON" }] });
    expect(table.leftOut).toEqual([{ name: "top", type: "list" }]);
  }
});

test("CSV: quotes, commas and line ends inside cells, CRLF, a byte order mark", () => {
  const text = '\uFEFFid,text,bits_per_byte\r\na,"x, ""y""\r\nz",1.5\r\nb,,\r\nc,1\r\n"d",e,-inf';
  for (const size of [1, 2, 5, 1000]) {
    const table = csv(text, size);
    expect(table.columns.get("id")).toEqual(["a", "b", "d"]);
    expect(table.columns.get("text")).toEqual(['x, "y"\r\nz', null, "e"]);
    expect(table.columns.get("bits_per_byte")!.map(numberOf)).toEqual([1.5, null, -Infinity]);
    expect(table.bad).toEqual({ n: 1, first: [{ line: 5, why: "2 cells in place of 3" }] });
  }
  expect(csv('a,b\n1,"2').bad.first).toEqual([{ line: 2, why: "a quote without its end" }]);
  expect(csv('a,b\n1,"2"x\n3,4\n').columns.get("a")).toEqual(["3"]);
});

test("names that are columns of an object itself are plain names", () => {
  const table = read(jsonlReader, '{"__proto__":1,"constructor":2,"bits_per_byte":3}\n');
  expect([...table.columns.keys()]).toEqual(["__proto__", "constructor", "bits_per_byte"]);
});

test("a file streams, packed or not; what is no UTF-8 or cut off is said", async () => {
  const told: number[] = [];
  const line = '{"bits_per_byte":1}\n';
  const file = new File([line.repeat(1000)], "rows.jsonl");
  expect((await readRows(file, "jsonl", signal, (n) => told.push(n))).rows).toBe(1000);
  expect(told.at(-1)).toBe(20_000);
  const packed = await new Response(file.stream().pipeThrough(new CompressionStream("gzip"))).arrayBuffer();
  expect((await readRows(new File([packed], "rows.jsonl.gz"), "jsonl", signal, () => undefined)).rows).toBe(1000);
  const cut = new File([packed.slice(0, 30)], "rows.jsonl.gz");
  await expect(readRows(cut, "jsonl", signal, () => undefined)).rejects.toThrow("cut off");
  await expect(readRows(new File([new Uint8Array([255, 254])], "a.csv"), "csv", signal, () => undefined)).rejects.toThrow("UTF-8");
  const stopped = AbortSignal.abort();
  await expect(readRows(file, "jsonl", stopped, () => undefined)).rejects.toThrow();
});

test("what a file is, by its name", () => {
  expect(["a.jsonl", "A.NDJSON", "b.csv.gz", "c.parquet", "d.tsv"].map(kindOf)).toEqual(["jsonl", "jsonl", "csv", "parquet", "tsv"]);
  expect(["a.txt", "jsonl", "c.parquet.gz", "c.jsonl.zst"].map(kindOf)).toEqual([null, null, null, null]);
});

test("texts in the order of their bits per byte; others are counted", () => {
  const lines = [
    { id: "a", text: "x", bits_per_byte: 3 },
    { id: "b", text: "y", bits_per_byte: 1 },
    { id: "c", text: "", bits_per_byte: null },
    { id: "d", text: "z", bits_per_byte: "inf" },
    { id: "e", text: null, bits_per_byte: null, error: "no text" },
  ];
  const table = read(jsonlReader, lines.map((l) => JSON.stringify(l)).join("\n"));
  expect(unsuitable(table)).toBeNull();
  const found = textsOf(table);
  expect(found.texts.map((t) => t.id)).toEqual(["b", "a"]);
  expect([found.without, found.impossible]).toEqual([2, 1]);
  expect(found.errors).toEqual([{ id: "e", error: "no text" }]);
  expect(idLines(found.texts, table)).toBe('{"id":"b","bits_per_byte":1}\n{"id":"a","bits_per_byte":3}\n');
  expect(unsuitable(read(jsonlReader, '{"surprisal_bits":1}'))).toContain("a row a token");
  expect(unsuitable(read(jsonlReader, '{"x":1}'))).toContain("only x");
});

test("every number lies in one bar, between the edges of the bar", () => {
  for (const numbers of [[1], [2, 2, 2], [0.1, 0.2, 0.3, 0.7], Array.from({ length: 1000 }, (_, k) => (k * k) / 1e4), [-3, 0, 5]]) {
    const bins = histogram(numbers);
    expect(bins.length).toBeLessThanOrEqual(32);
    expect(bins[0]!.first).toBe(0);
    expect(bins.at(-1)!.end).toBe(numbers.length);
    bins.forEach((bin, k) => {
      if (k) expect(bin.first).toBe(bins[k - 1]!.end);
      for (const x of numbers.slice(bin.first, bin.end)) {
        expect(x).toBeGreaterThanOrEqual(bin.low);
        expect(x).toBeLessThan(bin.high);
      }
    });
  }
  expect(histogram([])).toEqual([]);
});

test("how many are at most a threshold", () => {
  const sorted = [1, 2, 2, 3];
  expect([0, 1, 2, 2.5, 3, 9].map((t) => atMost(sorted, t))).toEqual([0, 1, 3, 3, 4, 4]);
});
