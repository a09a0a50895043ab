"""Log p of texts, term by term, also given a prefix."""
