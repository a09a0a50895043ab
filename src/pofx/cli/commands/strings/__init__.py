"""Verbs that make strings: draws, texts for a gap, texts that meet a condition, compressed and restored files."""
