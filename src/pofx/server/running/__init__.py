"""The process of a server: its start and end, its banner, and how it says that it is well."""
