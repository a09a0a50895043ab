"""Records, progress and notices for a terminal or a pipe."""
