import { expect, test } from "vitest";
import { decoded, fromBase64 } from "./bytes";
import { excerpt, visible, visibleLines } from "./visible";

test("what cannot be seen is written by name", () => {
  expect(visible("a\x1b\u202e\n b\t")).toBe("a\\x1b\\u202e⏎ b\\t");
  expect(visible("\ud800\u2028\u{e0001}\xa0")).toBe("\\ud800\\u2028\\U000e0001\\xa0");
  expect(visible("שלום e\u0301 🙂")).toBe("שלום e\u0301 🙂");
  expect(visibleLines("a\n\tb\r")).toBe("a\n\tb\\r");
});

test("an excerpt is as long as asked", () => {
  expect(excerpt("abc", 3)).toBe("abc");
  expect(excerpt("abcd", 3)).toBe("ab…");
  expect(excerpt("🙂🙂🙂🙂", 4)).toBe("🙂🙂🙂🙂");
});

test("stray bytes are escaped one by one", () => {
  expect(decoded(fromBase64("4oJhw6n/"))).toBe("\\xe2\\x82aé\\xff");
  expect(decoded(fromBase64("8J+Zgg=="))).toBe("🙂");
});
