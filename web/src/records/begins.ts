/** The answer of POST /v1/begins: a text after each candidate for x0, and after none. */

import type { Nats } from "./score";

export interface TextAfter {
  name: string;
  id: number | null;
  role: string;
  /** Whether the server scores with this x0. */
  current: boolean;
  first?: string | null;
  first_nats?: Nats;
  rest_nats: Nats;
  total_nats?: Nats;
  prefix_nats?: Nats;
  /** Whether a number of this row is log 0; only then is a null log 0, and else there is no such number. */
  impossible?: true;
  error?: { message: string; code: string; advice: string[] };
}

export interface Begins {
  model: string;
  text: string;
  begins: TextAfter[];
}
