/** The question of a permalink, which a panel asks without a click. */

import { untrack } from "svelte";
import type { Session } from "../session.svelte";

/** Ask once if a permalink brought this tab, as soon as the models are known and the question is complete. */
export function whenLinked(of: () => Session, tab: string, ask: () => void, complete: () => boolean = () => true): void {
  let asked = false;
  $effect(() => {
    const session = of();
    if (asked || session.asks !== tab || !session.models.length || !complete()) return;
    asked = true;
    untrack(ask);
  });
}
