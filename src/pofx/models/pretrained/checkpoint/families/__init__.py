"""The decoders whose architecture pofx reads from a config.json, one function for each family.

Each of these functions takes the `Fields` of a config and returns the `Architecture`. Each raises `NotCovered` if pofx's own
decoder does not compute the model of this config; the library `transformers` then computes the model. In this package "the
library" is `transformers`.
"""
