"""Pretrained models: the sources of checkpoints, and the scoring of texts by a checkpoint."""
