"""The transformer family: the network, how texts are windowed and packed, training, and its files. Needs torch."""
