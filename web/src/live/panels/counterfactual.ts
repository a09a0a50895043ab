/** The text with another token in the place of one of its own. */

import { between } from "../../numbers/sums";
import { nats, type Alternative, type Score } from "../../records/score";
import { fromBase64, strictly } from "../../text/bytes";
import { bytesOf, ownTokens } from "../../text/units";

export interface Changed {
  text: string;
  /** Where the other token stands in `text`, in characters. */
  from: number;
  to: number;
}

/** The changed text; null where the token leaves half a character, which no request can spell. EOS ends the text there; no text spells another control token. */
export function changed(score: Score, token: number, instead: Alternative): Changed | null {
  const data = bytesOf(score);
  const own = ownTokens(score);
  const start = own[token]?.start ?? data.length;
  const stop = own[token]?.end ?? data.length;
  const before = strictly(data.subarray(0, start));
  if (before === null) return null;
  if (instead.bytes === null) return instead.token === "EOS" ? { text: before, from: before.length, to: before.length } : null;
  const spelled = fromBase64(instead.bytes);
  const after = data.subarray(stop);
  const all = new Uint8Array(start + spelled.length + after.length);
  all.set(data.subarray(0, start));
  all.set(spelled, start);
  all.set(after, start + spelled.length);
  const text = strictly(all);
  const through = strictly(all.subarray(0, start + spelled.length));
  return text === null ? null : { text, from: before.length, to: through?.length ?? text.length };
}

/** log p of the second text minus that of the first, nats: the difference of the totals as they are shown. */
export function difference(first: Score, second: Score): number {
  const total = (s: Score) => nats(s.terms.end ? s.total_nats : s.prefix_nats);
  return between(total(second), total(first));
}
