/** Texts as points: bits per byte against length, at most so many that a browser draws them at once. */

import { encoded } from "../text/bytes";
import { numberOf, type Table } from "./table";
import type { Text } from "./texts";

export interface Point {
  text: Text;
  /** Bytes of the text. */
  length: number;
}

/** Every text, or as many as `most`, evenly spread over the order of bits per byte; the first and the last stay. Texts of no known length are left out. */
export function points(texts: Text[], table: Table, most: number): Point[] {
  const bytes = table.columns.get("bytes");
  const step = Math.max(1, (texts.length - 1) / (most - 1));
  const out: Point[] = [];
  for (let k = 0; k < Math.min(texts.length, most); k++) {
    const text = texts[Math.round(k * step)]!;
    const length = numberOf(bytes?.[text.row]) ?? (text.text === null ? 0 : encoded(text.text).length);
    if (length > 0) out.push({ text, length });
  }
  return out;
}
