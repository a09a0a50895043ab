"""Fits by several processes, on one machine or on several: all processes take each step together."""
