"""The process of a server: its start and end, its banner, its health and its metrics."""
