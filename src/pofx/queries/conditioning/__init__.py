"""p(text | condition): computed exactly where the model has few states, else estimated by particles."""
