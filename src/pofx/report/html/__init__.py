"""Records as one self-contained page: no network, no external file."""
