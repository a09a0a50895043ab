"""p(text | condition): exact where states are few, else by particles."""
