import { expect, test } from "vitest";
import { grafted, treeOf, type Branch, type TreeAnswer } from "./tree";

const log = Math.log;
const answer: TreeAnswer = {
  given: "x",
  after: [],
  nodes: [
    { parent: null, nats: 0, path_nats: 0, rest_nats: log(0.2), rest_tokens: 3 },
    { parent: 0, id: 7, token: "a", bytes: "YQ==", nats: log(0.5), path_nats: log(0.5) },
    { parent: 0, id: 9, token: "EOS", bytes: null, nats: log(0.3), path_nats: log(0.3) },
  ],
};

/** Children and the rest are their parent, in the whole tree. */
function whole(branch: Branch): boolean {
  if (branch.children === null || branch.rest === null) return true;
  const parts = branch.children.reduce((sum, c) => sum + Math.exp(c.total), Math.exp(branch.rest));
  return Math.abs(parts / Math.exp(branch.total) - 1) < 1e-9 && branch.children.every(whole);
}

test("an answer is a tree", () => {
  const tree = treeOf(answer, 9);
  expect(whole(tree)).toBe(true);
  expect(tree.children?.map((c) => [c.path, c.token, c.end, c.children])).toEqual([[[7], "a", false, null], [[9], "EOS", true, null]]);
});

test("a branch grows, and the probabilities of its paths are those from the root", () => {
  const tree = treeOf(answer, 9);
  const a = tree.children![0]!;
  const grown = treeOf(
    {
      given: "x",
      after: [7],
      nodes: [
        { parent: null, nats: 0, path_nats: 0, rest_nats: log(0.6), rest_tokens: 4 },
        { parent: 0, id: 8, token: "b", bytes: "Yg==", nats: log(0.4), path_nats: log(0.4) },
      ],
    },
    9,
    a,
  );
  const both = grafted(tree, grown);
  expect(whole(both)).toBe(true);
  expect(both.children![0]!.token).toBe("a");
  expect(both.children![0]!.children![0]!.total).toBeCloseTo(log(0.2), 12);
  expect(both.children![0]!.children![0]!.path).toEqual([7, 8]);
  expect(tree.children![0]!.children).toBe(null);
});
