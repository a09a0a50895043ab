/** Shades 0 … 7 of a unit of text. The edges of surprisals are those of src/pofx/report/heat.py. */

import { nats, type Score } from "../records/score";
import type { Unit } from "./units";

export type ScaleKind = "surprisal" | "rank" | "deviation";

export interface Step {
  shade: number;
  label: string;
}

export interface Scale {
  /** What the steps measure. */
  title: string;
  steps: Step[];
  shade(unit: Unit): number;
}

export const EDGES = [0.5, 1, 2, 3, 5, 8, 12];
export const LABELS = ["< ½", "½–1", "1–2", "2–3", "3–5", "5–8", "8–12", "≥ 12"];
// The steps of GLTR (top 10, 100, 1000), in shades of one hue that a colour-blind reader tells apart.
const RANK_EDGES = [10, 100, 1000];
const RANK_SHADES = [0, 2, 4, 7];

/** The shade of a surprisal in nats; ∞ and nan have the last one, so that nobody overlooks them. */
export function shade(surprisal: number): number {
  if (Number.isNaN(surprisal)) return EDGES.length;
  let step = 0;
  while (step < EDGES.length && surprisal >= EDGES[step]!) step++;
  return step;
}

export function scale(kind: ScaleKind, score: Score, all: Unit[]): Scale {
  if (kind === "rank") return byRank(score);
  if (kind === "deviation") return byDeviation(all);
  return {
    title: "surprisal −log p, nats",
    steps: LABELS.map((label, k) => ({ shade: k, label })),
    shade: (unit) => shade(-unit.logp),
  };
}

/** The rank of a unit is the worst rank of its tokens. */
function byRank(score: Score): Scale {
  const tokens = score.tokens ?? [];
  return {
    title: "rank of the token (GLTR)",
    steps: ["1–10", "11–100", "101–1,000", "> 1,000"].map((label, k) => ({ shade: RANK_SHADES[k]!, label })),
    shade: ({ lo, hi }) => {
      let worst = 0;
      for (let i = lo; i < hi; i++) worst = Math.max(worst, tokens[i]?.rank ?? 0);
      const step = RANK_EDGES.findIndex((edge) => worst <= edge);
      return RANK_SHADES[step < 0 ? RANK_EDGES.length : step]!;
    },
  };
}

/** Eight equal steps from 2.5 standard deviations below the text's mean surprisal to 2.5 above. */
function byDeviation(all: Unit[]): Scale {
  const finite = all.map((u) => -u.logp).filter(Number.isFinite);
  const mean = finite.reduce((a, b) => a + b, 0) / (finite.length || 1);
  const deviation = Math.sqrt(finite.reduce((a, b) => a + (b - mean) ** 2, 0) / (finite.length || 1));
  const width = (5 * deviation) / 8;
  const low = mean - 2.5 * deviation;
  return {
    title: `surprisal, mean ± 2.5σ of this text, nats`,
    steps: Array.from({ length: 8 }, (_, k) => ({ shade: k, label: (low + k * width).toFixed(1).replace("-", "−") + " …" })),
    shade: ({ logp }) => {
      if (!Number.isFinite(logp)) return 7;
      return width > 0 ? Math.min(7, Math.max(0, Math.floor((-logp - low) / width))) : 3;
    },
  };
}

/** Surprisal of a token in nats. */
export function surprisal(score: Score, token: number): number {
  return -nats(score.tokens?.[token]?.nats);
}
