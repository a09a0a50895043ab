"""Copies in a corpus of any size: exact ones by hash, near ones by MinHash, joined on disk in bounded memory."""
