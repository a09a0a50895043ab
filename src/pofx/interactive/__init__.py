"""What an interactive session shows of a value: one line, HTML in a notebook, a table of Arrow, a bar of progress."""
