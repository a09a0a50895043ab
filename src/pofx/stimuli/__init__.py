"""Stimulus tables: the surprisal of the words or regions in the rows of a table, as studies of reading have them."""
