"""Checkpoints from any source become directories, whose files are checked before a library opens them."""
