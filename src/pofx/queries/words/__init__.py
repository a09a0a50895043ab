"""The surprisal of words, however tokens cut the text."""
