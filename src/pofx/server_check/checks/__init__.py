"""The checks of a server, one file a group; each check is a function of a probe."""
