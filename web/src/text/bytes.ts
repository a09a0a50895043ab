/** Bytes of records, which JSON has in base64, and the text that they spell. */

export function fromBase64(data: string): Uint8Array {
  return Uint8Array.from(atob(data), (ch) => ch.charCodeAt(0));
}

/** UTF-8 as text; a byte that belongs to no character becomes `\xNN`, as Python's `backslashreplace` writes it. */
export function decoded(bytes: Uint8Array): string {
  try {
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    let out = "";
    for (let k = 0; k < bytes.length; ) {
      const size = characterAt(bytes, k);
      out += size
        ? new TextDecoder("utf-8", { ignoreBOM: true }).decode(bytes.subarray(k, k + size))
        : `\\x${(bytes[k] ?? 0).toString(16).padStart(2, "0")}`;
      k += size || 1;
    }
    return out;
  }
}

/** The bytes of the character that begins at a place; 0 where none does. */
function characterAt(bytes: Uint8Array, at: number): number {
  const first = bytes[at] ?? 0;
  const size = first < 0x80 ? 1 : first < 0xc2 ? 0 : first < 0xe0 ? 2 : first < 0xf0 ? 3 : first < 0xf5 ? 4 : 0;
  if (size === 0 || at + size > bytes.length) return 0;
  try {
    new TextDecoder("utf-8", { fatal: true }).decode(bytes.subarray(at, at + size));
    return size;
  } catch {
    return 0;
  }
}
