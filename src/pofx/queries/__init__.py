"""Questions to a distribution, (LM, texts) -> frozen records; a query knows `LM`, and no model family."""
