import { expect, test } from "vitest";
import { readHash, writeHash } from "../live/permalink";
import { fileMark, PLAIN, readFileMark, readView, written, type View } from "./view";

/** The options as they come back from an address. */
function linked(view: View, file: ReturnType<typeof fileMark> | null): (name: string) => string {
  const said = Object.entries(written(view, file)).filter(([, value]) => value !== "");
  const options = Object.fromEntries(said.map(([name, value]) => [`corpus.${name}`, value]));
  const back = readHash(writeHash({ text: "", given: "", model: "", tab: "corpus", view: options })!).view ?? {};
  return (name) => back[`corpus.${name}`] ?? "";
}

test("a view and its file survive an address", () => {
  const file = fileMark("rows & #1 é.jsonl", 1234, "0123456789abcdef".repeat(4));
  const views: View[] = [PLAIN, { threshold: 2.0375, list: "bar", bar: 0, point: 0 }, { threshold: -0.1, list: "above", bar: null, point: 77 }];
  for (const view of views) {
    const option = linked(view, file);
    expect(readView(option)).toEqual(view);
    expect(readFileMark(option)).toEqual({ name: "rows & #1 é.jsonl", rows: 1234, hash: "0123456789ab" });
  }
  expect(readFileMark(linked(PLAIN, null))).toBeNull();
});

test("options that are no view are ignored", () => {
  const said: Record<string, string> = { threshold: "much", list: "sideways", bar: "-1", point: "1.5", file: "a", rows: "1", hash: "<script>" };
  expect(readView((name) => said[name] ?? "")).toEqual(PLAIN);
  expect(readFileMark((name) => said[name] ?? "")).toBeNull();
});
