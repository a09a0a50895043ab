"""GGUF files: read, checked, and converted to a directory as the hub has it."""
