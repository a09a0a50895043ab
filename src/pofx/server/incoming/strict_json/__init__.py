"""JSON of strangers: bounded before it is parsed, strict, and with the byte of a fault named."""
