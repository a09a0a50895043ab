"""A checkpoint from anywhere as a directory whose files are checked before a library opens them."""
