/** Bayes' rule for two hypotheses, in nats. */

export interface Bayes {
  /** log of the prior of each. */
  priors: [number, number];
  /** log p(x | hypothesis) of each. */
  evidence: [number, number];
  /** log of prior times evidence, of each. */
  joints: [number, number];
  /** log p(x), the sum of both. */
  total: number;
  /** The posterior probabilities; nan where x is impossible under both. */
  posterior: [number, number];
}

/** The posterior of two hypotheses; `prior` is the probability of the first. */
export function bayes(prior: number, first: number, second: number): Bayes {
  const priors: [number, number] = [Math.log(prior), Math.log1p(-prior)];
  const joints: [number, number] = [priors[0] + first, priors[1] + second];
  const total = logSum(joints[0], joints[1]);
  const odds = joints[0] - joints[1];
  // From the log odds: a posterior near 1 keeps its digits, and so does the other, near 0.
  const posterior: [number, number] = [1 / (1 + Math.exp(-odds)), 1 / (1 + Math.exp(odds))];
  return { priors, evidence: [first, second], joints, total, posterior };
}

function logSum(a: number, b: number): number {
  const peak = Math.max(a, b);
  return peak === -Infinity ? peak : peak + Math.log(Math.exp(a - peak) + Math.exp(b - peak));
}
