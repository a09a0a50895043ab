"""Pretrained tokenizers: their files, what their tokens spell, and texts to ids and back; and our own, written as theirs."""
