"""Options that several verbs share, and what they are read into."""
