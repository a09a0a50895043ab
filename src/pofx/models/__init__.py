"""Where probability comes from: one family a file."""
