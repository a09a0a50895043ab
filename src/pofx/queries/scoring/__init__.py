"""log p of texts and its terms: alone, behind a prefix, in a stream, as other tools count it."""
