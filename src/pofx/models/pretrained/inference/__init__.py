"""The decoder of pofx, which computes hidden states of packed tokens, and log p of hidden states."""
