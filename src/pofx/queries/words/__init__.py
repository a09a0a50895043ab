"""The surprisal of words, however tokens cut them."""
