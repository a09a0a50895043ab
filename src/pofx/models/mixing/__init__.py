"""The context-mixing family: bytes predicted by binary decisions, from many contexts, mixed in the logistic domain."""
