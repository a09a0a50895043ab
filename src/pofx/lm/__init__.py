"""The core nouns: a language model, its states, bounds, and the record of a pass; no family of models is known here."""
