/** Bytes of records, which JSON has in base64, and the text that they spell, also where bytes are no text. */

const ENCODER = new TextEncoder();
const DECODER = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

export function fromBase64(data: string): Uint8Array {
  return Uint8Array.from(atob(data), (ch) => ch.charCodeAt(0));
}

/** UTF-8 as text; a byte that belongs to no character becomes `\xNN`. */
export function decoded(data: Uint8Array): string {
  try {
    return DECODER.decode(data);
  } catch {
    let out = "";
    for (let i = 0; i < data.length; ) {
      const width = characterWidth(data, i);
      out += width === 0 ? hex(data[i]!, "\\x") : DECODER.decode(data.subarray(i, i + width));
      i += width || 1;
    }
    return out;
  }
}

/** The bytes of a text; a lone surrogate becomes U+FFFD. */
export function encoded(text: string): Uint8Array {
  return ENCODER.encode(text);
}

/** The bytes as UTF-8, or null where they are none. */
export function strictly(data: Uint8Array): string | null {
  try {
    return DECODER.decode(data);
  } catch {
    return null;
  }
}

/** The bytes in hexadecimal: "c3 a9". */
export function hexadecimal(data: Uint8Array): string {
  return Array.from(data, (b) => hex(b, "")).join(" ");
}

/** How many bytes the character at `i` takes; 0 where the byte belongs to none. */
export function characterWidth(data: Uint8Array, i: number): number {
  const a = data[i]!;
  if (a < 0x80) return 1;
  if (a < 0xc2 || a > 0xf4) return 0;
  const width = a < 0xe0 ? 2 : a < 0xf0 ? 3 : 4;
  const b = data[i + 1] ?? 0;
  const low = a === 0xe0 ? 0xa0 : a === 0xf0 ? 0x90 : 0x80;
  const high = a === 0xed ? 0x9f : a === 0xf4 ? 0x8f : 0xbf;
  if (b < low || b > high) return 0;
  for (let k = 2; k < width; k++) {
    const c = data[i + k] ?? 0;
    if (c < 0x80 || c > 0xbf) return 0;
  }
  return width;
}

function hex(byte: number, before: string): string {
  return before + byte.toString(16).padStart(2, "0");
}
