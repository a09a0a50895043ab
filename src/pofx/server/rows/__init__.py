"""Files of rows that a browser cannot read itself."""
