"""Algorithms that know nothing of language: log-space sums, sorted tables, EM. They import nothing of pofx."""
