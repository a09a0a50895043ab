"""The segmentation of a text into characters and words."""
