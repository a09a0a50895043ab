"""Where the characters and the words of a text begin and end."""
