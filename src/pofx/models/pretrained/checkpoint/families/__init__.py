"""The decoders whose architecture pofx reads from a config.json, one function for each family."""
