"""Questions with choices, and minimal pairs: which string of several a model holds for more probable."""
