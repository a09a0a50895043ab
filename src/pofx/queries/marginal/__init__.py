"""The probability of a string, summed over all its tokenisations."""
