/** POST /v1/infill: what may stand in a gap. */

import type { Conditioned } from "../../records/conditioned";
import { post } from "./server";

export interface Gap {
  model: string | null;
  given: string;
  suffix: string;
  n: number;
  max_tokens: number;
  open: boolean;
  seed: number;
}

export type Filled = Conditioned & { model: string };

export async function infill(gap: Gap, signal: AbortSignal): Promise<Filled> {
  return post<Filled>("v1/infill", gap, signal);
}
