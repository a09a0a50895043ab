"""The distribution of the next token, byte, character or word."""
