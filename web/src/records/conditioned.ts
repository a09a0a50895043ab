/** The record of `pofx infill --json` and `pofx condition --json`. */

import type { Draw } from "./draw";
import type { Nats } from "./score";

export interface Conditioned {
  on: string;
  given?: string;
  log_evidence_nats: Nats;
  se_nats: number;
  runs_nats: Nats[];
  ess: number | null;
  method: "enumeration" | "forward-backward" | "smc";
  exact: boolean;
  max_tokens: number;
  calls: number;
  outcomes: { text: string; p: number; se: number }[];
  draws: (Draw & { weight: number })[];
}
