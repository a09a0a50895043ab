"""Documents in, and rows out: files, streams and tables as records of text."""
