/** SHA-256 of a file, as `sha256sum` prints it. The browser's own is missing on pages of plain HTTP, and cannot read in parts. */

/** The digest in hexadecimal. Raises what `signal` was aborted with. */
export async function sha256(file: Blob, signal: AbortSignal): Promise<string> {
  const hash = new Sha256();
  const reader = file.stream().getReader();
  try {
    for (;;) {
      signal.throwIfAborted();
      const { done, value } = await reader.read();
      if (done) return hash.digest();
      hash.add(value);
    }
  } finally {
    void reader.cancel().catch(() => undefined);
  }
}

// The constants are the first 32 bits of the fractions of roots of primes.
const PRIMES = firstPrimes(64);
const root = (power: number) => (p: number): number => ((p ** power % 1) * 2 ** 32) | 0;
const K = Int32Array.from(PRIMES, root(1 / 3));
const BLOCK = 64;

export class Sha256 {
  readonly #state = Int32Array.from(PRIMES.slice(0, 8), root(1 / 2));
  readonly #words = new Int32Array(64);
  readonly #rest = new Uint8Array(BLOCK);
  #length = 0;

  add(bytes: Uint8Array): void {
    let at = this.#length % BLOCK;
    this.#length += bytes.length;
    let from = 0;
    if (at > 0) {
      from = Math.min(bytes.length, BLOCK - at);
      this.#rest.set(bytes.subarray(0, from), at);
      at += from;
      if (at < BLOCK) return;
      this.#block(this.#rest, 0);
    }
    for (; from + BLOCK <= bytes.length; from += BLOCK) this.#block(bytes, from);
    this.#rest.set(bytes.subarray(from));
  }

  /** The digest of all that was added; nothing can be added after it. */
  digest(): string {
    const bits = 8 * this.#length;
    const padding = new Uint8Array(((BLOCK + 55 - (this.#length % BLOCK)) % BLOCK) + 9);
    padding[0] = 0x80;
    const end = new DataView(padding.buffer, padding.length - 8);
    end.setUint32(0, Math.floor(bits / 2 ** 32));
    end.setUint32(4, bits >>> 0);
    this.add(padding);
    return Array.from(this.#state, (word) => (word >>> 0).toString(16).padStart(8, "0")).join("");
  }

  #block(bytes: Uint8Array, from: number): void {
    const w = this.#words;
    for (let t = 0, j = from; t < 16; t++, j += 4) w[t] = (bytes[j]! << 24) | (bytes[j + 1]! << 16) | (bytes[j + 2]! << 8) | bytes[j + 3]!;
    for (let t = 16; t < 64; t++) {
      const [x, y] = [w[t - 15]!, w[t - 2]!];
      const s0 = turned(x, 7) ^ turned(x, 18) ^ (x >>> 3);
      const s1 = turned(y, 17) ^ turned(y, 19) ^ (y >>> 10);
      w[t] = (w[t - 16]! + s0 + w[t - 7]! + s1) | 0;
    }
    const state = this.#state;
    let a = state[0]!, b = state[1]!, c = state[2]!, d = state[3]!, e = state[4]!, f = state[5]!, g = state[6]!, h = state[7]!;
    for (let t = 0; t < 64; t++) {
      const one = (h + (turned(e, 6) ^ turned(e, 11) ^ turned(e, 25)) + ((e & f) ^ (~e & g)) + K[t]! + w[t]!) | 0;
      const two = ((turned(a, 2) ^ turned(a, 13) ^ turned(a, 22)) + ((a & b) ^ (a & c) ^ (b & c))) | 0;
      h = g; g = f; f = e; e = (d + one) | 0;
      d = c; c = b; b = a; a = (one + two) | 0;
    }
    [a, b, c, d, e, f, g, h].forEach((x, k) => (state[k] = (state[k]! + x) | 0));
  }
}

function turned(x: number, n: number): number {
  return (x >>> n) | (x << (32 - n));
}

function firstPrimes(n: number): number[] {
  const found: number[] = [];
  for (let k = 2; found.length < n; k++) if (found.every((p) => k % p)) found.push(k);
  return found;
}
