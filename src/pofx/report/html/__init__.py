"""Records become one self-contained page, which needs no network and no other file."""
