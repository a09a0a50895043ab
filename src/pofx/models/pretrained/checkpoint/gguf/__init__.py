"""GGUF files are read, checked, and converted to a checkpoint directory in the layout of Hugging Face."""
