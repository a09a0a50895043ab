/** The record of a draw, as `pofx sample --json` gives it. */

import type { Nats, Terms } from "./score";

export interface Draw {
  text: string;
  /** What was drawn, in base64. */
  bytes: string;
  /** log p of the draw; log q where `warp` names another distribution q. */
  nats: Nats;
  warp?: string;
  /** log p of a warped draw under the model itself. */
  model_nats?: Nats;
  ended: boolean;
  tokens: number;
  ids: number[];
  terms: Terms;
}
