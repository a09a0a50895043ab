/** Bayes' rule for any number of classes, in nats. */

export interface ClassPosterior {
  /** log of the prior of each class. */
  priors: number[];
  /** β log p(text | class) of each class. */
  evidence: number[];
  /** log of the sum over all classes. */
  total: number;
  /** log P(class | text) of each class; nan where no class can produce the text. */
  logs: number[];
}

/** The posterior under priors that sum to 1; `power` is β of a power posterior, else 1. */
export function posterior(prior: number[], likelihood: number[], power = 1): ClassPosterior {
  const priors = prior.map(Math.log);
  const evidence = likelihood.map((l) => (l === -Infinity ? l : power * l));
  const joints = priors.map((p, k) => p + evidence[k]!);
  const total = logSum(joints);
  return { priors, evidence, total, logs: joints.map((j) => j - total) };
}

/** Priors after one of them is moved to p: the others keep their ratios, and all sum to 1. */
export function movedPrior(prior: number[], at: number, p: number): number[] {
  const rest = prior.reduce((sum, q, k) => (k === at ? sum : sum + q), 0);
  const others = prior.length - 1;
  return prior.map((q, k) => (k === at ? (others ? p : 1) : rest > 0 ? (q / rest) * (1 - p) : (1 - p) / others));
}

/** Priors written with commas between them, as a permalink keeps them; null for anything that is none. */
export function priorsOf(written: string): number[] | null {
  const priors = written.split(",").map((part) => (part.trim() === "" ? NaN : Number(part)));
  const sum = priors.reduce((all, p) => all + p, 0);
  return priors.every((p) => p >= 0) && Math.abs(sum - 1) < 1e-6 ? priors : null;
}

function logSum(values: number[]): number {
  const peak = Math.max(...values);
  return peak === -Infinity ? peak : peak + Math.log(values.reduce((sum, v) => sum + Math.exp(v - peak), 0));
}
