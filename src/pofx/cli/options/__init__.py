"""Options that several verbs share, and the records that hold their values."""
