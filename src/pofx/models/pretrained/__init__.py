"""Pretrained models: where a checkpoint comes from, and how it is scored."""
