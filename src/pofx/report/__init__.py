"""Reports: records of queries become tables for a terminal (`terminal`) or one self-contained page (`html`).

No module here prints or knows a model family. Each function takes records, and returns a renderable or a string.
"""
