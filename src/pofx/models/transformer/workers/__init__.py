"""Fits by several processes, on one machine or on several: the same steps as in one process, each taken together."""
