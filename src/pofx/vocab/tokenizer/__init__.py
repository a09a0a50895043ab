"""Pretrained tokenizers: their files, the bytes of their tokens, texts to ids and back; and pofx's own as such files."""
