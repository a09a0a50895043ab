"""Two models on the same texts: the difference of their log-probabilities, and the divergence of their laws."""
