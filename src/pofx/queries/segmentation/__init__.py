"""Where the characters and words of a text begin and end."""
