"""log p of a string, summed over its tokenisations."""
