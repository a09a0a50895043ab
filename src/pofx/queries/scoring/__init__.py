"""Log p of texts, term by term, with or without a prefix."""
