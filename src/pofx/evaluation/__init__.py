"""Questions with choices, and minimal pairs: the string of several that a model gives the highest probability."""
