"""Values in an interactive session: one line, HTML in a notebook, and a table of Arrow."""
