import { expect, test } from "vitest";
import { withTokens, type PageScore } from "./tokens";

test("columns become the list of the record", () => {
  const names: [number, string, string | null][] = [[5, "a", "YQ=="], [256, "EOS", null]];
  const tokens = { names, token: [0, 1], start: [0, 1], end: [1, 1], nats: [-0.5, "-inf" as const], seen: [1, 2], rank: [3, 9], top: [[1, 0]], top_nats: [[-0.25, -0.5]] };
  const found = withTokens({ text: "a", tokens } as unknown as PageScore).tokens;
  expect(found).toEqual([
    {
      id: 5, token: "a", bytes: "YQ==", nats: -0.5, start: 0, end: 1, seen: 1, rank: 3,
      top: [{ id: 256, token: "EOS", bytes: null, nats: -0.25 }, { id: 5, token: "a", bytes: "YQ==", nats: -0.5 }],
    },
    { id: 256, token: "EOS", bytes: null, nats: "-inf", start: 1, end: 1, seen: 2, rank: 9 },
  ]);
});
