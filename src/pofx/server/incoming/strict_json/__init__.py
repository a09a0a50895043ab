"""JSON of strangers: its size is bounded before it is parsed, it is strict, and a fault is named with its byte."""
