"""Records as rich renderables, one kind of record a file. Nothing is printed here."""
