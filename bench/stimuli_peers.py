"""minicons and psycholing-metrics for bench/stimuli.py: from texts as JSON to the surprisals of their words as JSON.

    stimuli_peers.py CHECKPOINT < texts.json

psycholing-metrics imports spaCy, one of its models, and sentence_splitter, which none of these surprisals needs: modules
without content stand in for them, and the two tools are otherwise as they are installed. The name of a model must hold the
name of a family that the tool knows, so the checkpoint is linked to a directory with the name "gpt" of such a family.
"""

from __future__ import annotations

import json
import sys
import tempfile
from importlib.metadata import version
from pathlib import Path
from types import ModuleType


def minicons(checkpoint: str, texts: list[str]) -> list[list[float]]:
    from minicons.scorer import IncrementalLMScorer

    scorer = IncrementalLMScorer(checkpoint, "cpu")
    found = scorer.word_score_tokenized(texts, str.split, bow_correction=True, bos_token=True, surprisal=True)
    return [[float(s) for _, s in words] for words in found]


def psycholing(checkpoint: str, texts: list[str]) -> dict[str, list[list[float]]]:
    language = ModuleType("spacy.language")
    language.Language = object
    spacy = ModuleType("spacy")
    spacy.load, spacy.Language, spacy.language = (lambda name: None), object, language
    splitter = ModuleType("sentence_splitter")
    splitter.split_text_into_sentences = None
    sys.modules |= {"spacy": spacy, "spacy.language": language, "sentence_splitter": splitter}
    import pandas
    from psycholing_metrics.metrics import get_surprisal
    from psycholing_metrics.pimentel_word_prob.wordsprobability.main import agg_surprisal_per_word
    from psycholing_metrics.pimentel_word_prob.wordsprobability.models.bow_lm import EnglishGpt2Small
    from psycholing_metrics.surprisal.concatenated import ConcatenatedSurprisalExtractor
    from psycholing_metrics.surprisal.types import SurprisalExtractorType

    with tempfile.TemporaryDirectory() as place:
        linked = Path(place, "as-gpt")
        linked.symlink_to(Path(checkpoint).resolve())
        own = ConcatenatedSurprisalExtractor(str(linked), SurprisalExtractorType.CAT_CTX_LEFT.value)
        sums = [get_surprisal(t, own)["Surprisal"].tolist() for t in texts]
        corrected = EnglishGpt2Small(own.model, own.tokenizer)
        words = []
        for text in texts:
            found, offsets = corrected.get_predictions(text)
            table = pandas.DataFrame(found)
            table["text_id"], table["offsets"] = 0, offsets
            words.append(agg_surprisal_per_word(table, "gpt2")["surprisal"].tolist())
    return {"psycholing-metrics, sums of tokens": sums, "psycholing-metrics, corrected": words}


def main() -> None:
    checkpoint, texts = sys.argv[1], json.load(sys.stdin)
    out = {"minicons, corrected": minicons(checkpoint, texts), **psycholing(checkpoint, texts)}
    versions = {name: version(name) for name in ("minicons", "psycholing-metrics")}
    json.dump({"versions": versions, "tools": out}, sys.stdout)


if __name__ == "__main__":
    main()
