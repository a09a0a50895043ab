import { expect, test } from "vitest";
import { typeset } from "./typeset";

test("a number has a true minus sign, a word its hyphen", () => {
  expect(typeset("a shuffle -0.013, 1e-9 (-∞) of 5-gram, near-2 x--1 0.1-0.2 -m a-1")).toBe(
    "a shuffle −0.013, 1e−9 (−∞) of 5-gram, near-2 x--1 0.1-0.2 -m a-1",
  );
});
