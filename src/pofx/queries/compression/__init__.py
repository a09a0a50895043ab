"""A file in as many bits as a model assigns to its bytes, and back."""
