"""The core: a language model, states and bounds, the record of a pass. This room knows no family of models."""
