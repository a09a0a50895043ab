"""The files of a tokenizer: checked, read and written."""
