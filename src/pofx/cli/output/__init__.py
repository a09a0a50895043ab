"""Records, progress and notices as a terminal or a pipe gets them."""
