"""Compression of data to −log2 p bits by a model, and decompression."""
