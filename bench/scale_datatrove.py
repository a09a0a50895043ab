"""The perplexity of documents by DataTrove and KenLM; run by bench/scale_peers.py in the Python of DataTrove.

    python scale_datatrove.py INPUT/ OUTPUT/ MODEL WORKERS NORMALISE

INPUT is a directory of JSON lines, MODEL a file of KenLM, NORMALISE 1 for CCNet's normalisation or 0. The code that scores
is DataTrove's own `KenlmModel.get_perplexity`. Its tokens are words here, since its subwords come from a hub. DataTrove
rounds the perplexity to one decimal, so the step keeps the log10 p as well.
"""

from __future__ import annotations

import sys

import kenlm
from datatrove.executor import LocalPipelineExecutor
from datatrove.pipeline.base import PipelineStep
from datatrove.pipeline.readers import JsonlReader
from datatrove.pipeline.writers import JsonlWriter
from datatrove.utils.logging import logger
from datatrove.utils.perplexity import KenlmModel


class Words:
    """Tokens are what white space separates, so a text stays as it is."""

    def tokenize(self, text):
        return text


class LocalModel(KenlmModel):
    """DataTrove's model, read from a file in place of a hub."""

    def __init__(self, path):
        super().__init__("", "")
        self._tokenizer = Words()
        self.path = path

    @property
    def model(self):
        if self._model is None:
            self._model = kenlm.Model(self.path)
        return self._model

    def pp(self, log_score, length):
        self.log10 = log_score
        return super().pp(log_score, length)


class Perplexity(PipelineStep):
    """Give each document its perplexity and its log10 p."""

    name = "perplexity"
    type = "score"

    def __init__(self, path, normalise):
        super().__init__()
        self.model, self.normalise = LocalModel(path), normalise

    def run(self, data, rank=0, world_size=1):
        for document in data:
            with self.track_time():
                perplexity = self.model.get_perplexity(document.text, self.normalise)
            document.metadata = {"perplexity": perplexity, "log10": self.model.log10}
            yield document


def row(self, document):
    """A row without the text, as pofx writes with --no-text."""
    return {"id": document.id, **document.metadata}


def main():
    source, out, model, workers, normalise = sys.argv[1:]
    logger.remove()
    LocalPipelineExecutor(
        [
            JsonlReader(source),
            Perplexity(model, normalise == "1"),
            JsonlWriter(f"{out}/rows", compression=None, adapter=row),
        ],
        tasks=int(workers),
        workers=int(workers),
        logging_dir=f"{out}/logs",
    ).run()


if __name__ == "__main__":
    main()
