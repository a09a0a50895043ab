"""Tokens as clients name them: ids of a text, text of ids, strings for tokens, x0 and EOS."""
