/** The rows of a tree that are in view: a node a row, children under their parent, and then everything else. */

import type { Branch } from "../../records/tree";

export interface Row {
  /** The name of the row: its path, and "rest" for everything else. */
  key: string;
  level: number;
  branch: Branch;
  /** Whether the row is everything else after `branch`. */
  rest: boolean;
  open: boolean;
  /** The key of the parent; "" for the first level. */
  above: string;
  /** Its place among its siblings, from 1, and how many there are. */
  at: number;
  of: number;
}

/** The name of a branch. */
export function keyOf(branch: Branch): string {
  return branch.path.join(" ");
}

/** The rows, of which those with children in `open` show them. */
export function rowsOf(tree: Branch, open: ReadonlySet<string>, level = 1): Row[] {
  const out: Row[] = [];
  const above = keyOf(tree);
  const others = tree.rest !== null && tree.restTokens > 0;
  const of = (tree.children?.length ?? 0) + (others ? 1 : 0);
  for (const [k, branch] of (tree.children ?? []).entries()) {
    const key = keyOf(branch);
    const shown = open.has(key) && branch.children !== null;
    out.push({ key, level, branch, rest: false, open: shown, above, at: k + 1, of });
    if (shown) out.push(...rowsOf(branch, open, level + 1));
  }
  if (others) out.push({ key: `${above} rest`, level, branch: tree, rest: true, open: false, above, at: of, of });
  return out;
}

/** The branches that are open at first: those with children whose path has at least so much probability. */
export function openAtFirst(tree: Branch, least = 0.04): string[] {
  return (tree.children ?? []).flatMap((b) =>
    b.children !== null && Math.exp(b.total) >= least ? [keyOf(b), ...openAtFirst(b, least)] : [],
  );
}
