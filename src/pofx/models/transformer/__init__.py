"""The transformer family: windows and packing of texts, the network, training, and saved files; it needs torch."""
