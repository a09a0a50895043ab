/** What all panels share: the models of the server, the chosen one, the text and its prefix. */

import { ends, models, type Ends, type Model } from "./server/models";

export class Session {
  models = $state.raw<Model[]>([]);
  /** The name of the chosen model; "" until the models are known. */
  model = $state("");
  /** x0 and EOS of the chosen model. */
  ends = $state.raw<Ends | null>(null);
  text = $state("The early bird catches the worm.");
  /** The prefix that the text follows. */
  given = $state("");
  /** Options of panels that a permalink keeps, by names such as "text.unit"; a value that is the default is left out. */
  view = $state<Record<string, string>>({});

  /** Ask for the models. The first one is chosen, unless the chosen one is among them. */
  async load(signal: AbortSignal): Promise<void> {
    this.models = await models(signal);
    if (!this.models.some((m) => m.id === this.model)) this.model = this.models[0]?.id ?? "";
  }

  /** Ask for x0 and EOS of the chosen model. */
  async describe(signal: AbortSignal): Promise<void> {
    const model = this.model;
    const found = model ? await ends(model, signal) : null;
    if (model === this.model) this.ends = found;
  }
}
