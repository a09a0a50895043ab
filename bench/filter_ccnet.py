"""The perplexity of documents by KenLM, as CCNet computes it; run by bench/filter.py in the peers' Python.

    python filter_ccnet.py MODEL.arpa DOCUMENTS.jsonl

Each document is a list of lines, and each line is tokens with one space between. A line of the output has the log10 p of a
document over its lines, BOS and EOS of each line included, and its tokens, with one EOS a line.
"""

from __future__ import annotations

import json
import sys

import kenlm

model = kenlm.Model(sys.argv[1])
with open(sys.argv[2], encoding="utf-8") as f:
    for document in f:
        lines = json.loads(document)
        print(sum(model.score(line) for line in lines), sum(len(line.split()) + 1 for line in lines))
