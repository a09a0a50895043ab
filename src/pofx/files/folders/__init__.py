"""Folders that a job writes into: a directory of this machine, or a prefix of an object store."""
