"""p(text | condition): computed exactly where few states can be told apart, else estimated by particles."""
