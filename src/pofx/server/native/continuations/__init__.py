"""Answers about continuations: the next token, draws, the tree of the likeliest ones, and gaps."""
