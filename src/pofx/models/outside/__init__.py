"""Models that pofx did not load: a server, and a function of the caller."""
