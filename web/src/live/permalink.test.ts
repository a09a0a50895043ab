import { expect, test } from "vitest";
import { readHash, writeHash, type Linked } from "./permalink";

test("any text survives its address", () => {
  for (const text of ["", "a+b & c=d #1 %41", "\u0000\u202e\n<script>", "🙂 שלום é"]) {
    const state: Linked = { text, given: "x y", model: "a/b", tab: "draw", view: { "text.unit": "words" } };
    expect(readHash(writeHash(state)!)).toEqual(state);
  }
});

test("a text that is too long has no address", () => {
  const state: Linked = { text: "é".repeat(20_000), given: "", model: "", tab: "", view: {} };
  expect(writeHash(state)).toBeNull();
});

test("what is no state of the page is ignored", () => {
  expect(readHash("#__proto__=1&tab=text&key=secret&a.b=c")).toEqual({ tab: "text", view: { "a.b": "c" } });
});
