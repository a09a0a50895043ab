"""Questions to a distribution: (LM, texts) -> frozen records. They know LM, never a family."""
