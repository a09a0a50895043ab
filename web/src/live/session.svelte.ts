/** What all panels share: the models of the server, the chosen one, the text and its prefix. */

import type { Linked } from "./permalink";
import { ends, models, type Ends, type Model } from "./server/models";

const TEXT = "The early bird catches the worm.";

export class Session {
  models = $state.raw<Model[]>([]);
  /** The name of the chosen model; "" until the models are known. */
  model = $state("");
  /** x0 and EOS of the chosen model. */
  ends = $state.raw<Ends | null>(null);
  text = $state(TEXT);
  /** The prefix that the text follows. */
  given = $state("");
  /** Options of panels that a permalink keeps, by names such as "text.unit"; a value that is the default is left out. */
  view = $state<Record<string, string>>({});

  /** The name of the chosen tab. */
  tab = $state("");
  /** The tab whose question a permalink asks, without a click; "" for none. */
  asks = $state("");
  /** A model that a permalink names and this server does not have; "" for none. */
  missing = $state("");

  /** Counts the permalinks that were followed while the page was open; its panels then begin anew. */
  followed = $state(0);

  readonly #home: string;

  /** `home` is the tab of a page without a permalink. */
  constructor(home: string) {
    this.#home = this.tab = home;
  }

  /** An option of a panel, or its default. */
  option(name: string, usual: string): string {
    return this.view[name] ?? usual;
  }

  /** Choose an option of a panel. */
  choose(name: string, value: string, usual: string): void {
    if (value === usual) delete this.view[name];
    else this.view[name] = value;
  }

  /** The state that a permalink keeps. */
  get linked(): Linked {
    return { text: this.text, given: this.given, model: this.model, tab: this.tab, view: { ...this.view } };
  }

  /** Take the state of a permalink. What the link does not say is as on a fresh page, but for the model. */
  follow(link: Partial<Linked>): void {
    this.text = link.text ?? TEXT;
    this.given = link.given ?? "";
    this.model = link.model ?? this.model;
    this.tab = link.tab ?? this.#home;
    this.view = link.view ?? {};
    this.asks = link.tab ?? "";
    this.missing = "";
    if (this.models.length && !this.models.some((m) => m.id === this.model)) this.#first();
  }

  /** Ask for the models. The first one is chosen, unless the chosen one is among them. */
  async load(signal: AbortSignal): Promise<void> {
    this.models = await models(signal);
    if (!this.models.some((m) => m.id === this.model)) this.#first();
  }

  #first(): void {
    this.missing = this.model;
    this.model = this.models[0]?.id ?? "";
  }

  /** Ask for x0 and EOS of the chosen model. */
  async describe(signal: AbortSignal): Promise<void> {
    const model = this.model;
    const found = model ? await ends(model, signal) : null;
    if (model === this.model) this.ends = found;
  }
}
