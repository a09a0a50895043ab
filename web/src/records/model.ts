/** What a model says of itself, as src/pofx/report/html/model_block.py writes it. */

export interface ModelCard {
  name: string;
  /** The symbol x0 and how it is known; `known` is "none" where the model only continues texts. */
  begin: { text: string; known: string; note: string };
  /** The name of EOS; null where texts never end. */
  end: string | null;
  window: string;
  facts: [string, string][];
  /** The kept verdict of an audit; null where none was kept. */
  verdict: { verdict: string; gloss: string; reason: string; date: string } | null;
}
