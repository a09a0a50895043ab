import { expect, test } from "vitest";
import { Sha256, sha256 } from "./sha256";

const own = async (bytes: Uint8Array<ArrayBuffer>): Promise<string> =>
  Array.from(new Uint8Array(await crypto.subtle.digest("SHA-256", bytes)), (b) => b.toString(16).padStart(2, "0")).join("");

test("the digest is that of every other program, for every length around the edges of a block", async () => {
  for (let n = 0; n < 200; n++) {
    const bytes = Uint8Array.from({ length: n }, (_, k) => (k * 151 + n) & 255);
    expect(await sha256(new Blob([bytes]), new AbortController().signal)).toBe(await own(bytes));
  }
});

test("the parts in which bytes are added change nothing", async () => {
  const bytes = Uint8Array.from({ length: 1000 }, (_, k) => (k * k) & 255);
  for (const size of [1, 7, 63, 64, 65, 200, 1000]) {
    const hash = new Sha256();
    for (let k = 0; k < bytes.length; k += size) hash.add(bytes.subarray(k, k + size));
    expect(hash.digest()).toBe(await own(bytes));
  }
});
