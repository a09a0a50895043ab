/** The tokens of a scored text, which a page holds as columns, as the list that the record has. */

import type { Alternative, Nats, Score, Token } from "../records/score";

export interface TokenColumns {
  /** Each distinct token: its id, its name, and its bytes in base64. */
  names: [number, string, string | null][];
  /** Places in `names`. */
  token: number[];
  start: number[];
  end: number[];
  nats: Nats[];
  seen: number[];
  rank?: number[];
  entropy?: Nats[];
  /** Places in `names` of the likeliest tokens of each position; long texts have them of their first positions. */
  top?: number[][];
  top_nats?: Nats[][];
}

export type PageScore = Omit<Score, "tokens"> & { tokens: TokenColumns };

export function withTokens(score: PageScore): Score {
  const columns = score.tokens;
  const alternative = (place: number, nats: Nats): Alternative => {
    const [id, token, bytes] = columns.names[place] ?? [0, "", null];
    return { id, token, bytes, nats };
  };
  const tokens = columns.token.map((place, k): Token => {
    const top = columns.top?.[k];
    return {
      ...alternative(place, columns.nats[k] ?? null),
      start: columns.start[k] ?? 0,
      end: columns.end[k] ?? 0,
      seen: columns.seen[k] ?? 0,
      ...(columns.rank ? { rank: columns.rank[k] } : {}),
      ...(columns.entropy ? { entropy_nats: columns.entropy[k] as number | null } : {}),
      ...(top ? { top: top.map((t, j) => alternative(t, columns.top_nats?.[k]?.[j] ?? null)) } : {}),
    };
  });
  return { ...score, tokens };
}
