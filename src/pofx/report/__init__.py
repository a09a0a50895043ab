"""Records made visible: `terminal` for rich renderables, `html` for one self-contained page.

Nothing here prints, and nothing here knows a model family: records of queries go in, renderables or
strings come out.
"""
