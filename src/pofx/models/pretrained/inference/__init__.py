"""Our decoder: packed tokens to hidden states, and hidden states to log p."""
