/** The answer of POST /v1/tree, and the tree that grows of several answers. */

import { nats, type Nats } from "./score";

export interface TreeNode {
  parent: number | null;
  id?: number;
  token?: string;
  bytes?: string | null;
  nats: Nats;
  path_nats: Nats;
  rest_nats?: Nats;
  rest_tokens?: number;
}

export interface TreeAnswer {
  given: string;
  after: number[];
  nodes: TreeNode[];
}

/** A node: a token after the tokens of its path. */
export interface Branch {
  /** The ids from the prefix to this token; empty for the root. */
  path: number[];
  token: string;
  bytes: string | null;
  /** log p of the token after its path, nats. */
  logp: number;
  /** log P of the whole path, nats. */
  total: number;
  /** The likeliest tokens after this one; null where they have not been asked for. */
  children: Branch[] | null;
  /** log P of the path and then any token that is no child; null without children. */
  rest: number | null;
  restTokens: number;
  /** Whether the token is EOS, after which nothing comes. */
  end: boolean;
}

/** The tree of an answer; `from` is the node from which it grows, and whose place it takes. */
export function treeOf(answer: TreeAnswer, eos: number | null, from: Branch | null = null): Branch {
  const base = from?.total ?? 0;
  const made: Branch[] = [];
  for (const node of answer.nodes) {
    const above = node.parent === null ? null : made[node.parent]!;
    const grown = node.rest_nats !== undefined;
    const branch: Branch = {
      path: above === null ? answer.after : [...above.path, node.id!],
      token: above === null ? (from?.token ?? "") : (node.token ?? ""),
      bytes: above === null ? (from?.bytes ?? null) : (node.bytes ?? null),
      logp: above === null ? (from?.logp ?? 0) : nats(node.nats),
      total: base + nats(node.path_nats),
      children: grown ? [] : null,
      rest: grown ? base + nats(node.rest_nats) : null,
      restTokens: node.rest_tokens ?? 0,
      end: above !== null && node.id === eos,
    };
    above?.children?.push(branch);
    made.push(branch);
  }
  return made[0]!;
}

/** The tree with another branch in the place of the one that has its path. */
export function grafted(tree: Branch, branch: Branch): Branch {
  if (tree.path.length === branch.path.length) return same(tree.path, branch.path) ? branch : tree;
  if (!same(tree.path, branch.path.slice(0, tree.path.length))) return tree;
  return { ...tree, children: tree.children?.map((child) => grafted(child, branch)) ?? null };
}

function same(a: number[], b: number[]): boolean {
  return a.length === b.length && a.every((id, k) => id === b[k]);
}
