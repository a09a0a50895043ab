import { expect, test } from "vitest";
import type { Worded } from "../../records/words";
import { regions } from "./sentence";

test("words keep their line ends and the text between regions", () => {
  const word = (word: string, start: number, end: number) => ({ word, start, end, surprisal_nats: 1, index: 0 });
  const worded = { text: "🙂 a\nb — c", words: [word("🙂", 0, 1), word("a", 2, 3), word("b", 4, 5), word("c", 8, 9)] };
  expect(regions(worded as unknown as Worded).map((r) => [r.text, r.line, r.between])).toEqual([
    ["🙂", false, ""],
    ["a", false, ""],
    ["b", true, ""],
    ["c", false, "—"],
  ]);
});
