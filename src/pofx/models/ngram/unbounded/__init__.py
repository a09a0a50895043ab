"""An n-gram of unbounded order: the longest match of the history in the training text is the context."""
