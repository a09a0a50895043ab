"""Algorithms that know nothing of language: log-space sums, sorted tables, automata, coding, statistics."""
