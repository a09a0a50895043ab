/** POST /v1/begins: a text after each candidate for x0. POST /v1/audit: the kept verdict. */

import type { Begins } from "../../records/begins";
import type { Audit } from "./models";
import { post } from "./server";

export function begins(model: string, text: string, signal: AbortSignal): Promise<Begins> {
  return post("v1/begins", { model, text }, signal);
}

export function verdict(model: string, signal: AbortSignal): Promise<Audit> {
  return post("v1/audit", { model }, signal);
}
