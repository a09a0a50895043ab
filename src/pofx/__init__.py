"""p(x) for language models: a joint probability distribution over strings, to fit, score, sample and audit.

    p(x) = p(x1|x0) · p(x2|x0,x1) · … · p(EOS|x0,x)

Names load on first use, so that `import pofx` costs nothing and torch is only loaded by what needs it.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pofx import errors
    from pofx.assumptions import corpus_report
    from pofx.begin import Begin
    from pofx.builtin import builtin_documents
    from pofx.classifier.estimator import GenerativeClassifier
    from pofx.corpus import Document, documents, records, split_documents
    from pofx.errors import (
        BadSource,
        BadValue,
        Impossible,
        MissingExtra,
        NoBOS,
        NoEOS,
        NoLaw,
        NotText,
        PofxError,
        TooLong,
        Undecodable,
        Unreached,
    )
    from pofx.estimation import fit
    from pofx.folds import cross_fit
    from pofx.lm import LM
    from pofx.loading import load
    from pofx.models.ngram.arpa import read_arpa, write_arpa
    from pofx.queries.audit import audit
    from pofx.queries.chat import chat
    from pofx.queries.compress import Compression, compress, compression, decompress
    from pofx.queries.condition import condition
    from pofx.queries.conditioned import Conditioned, Outcome
    from pofx.queries.conditions import Condition, Contains, Length, Matches
    from pofx.queries.corpus_record import CorpusReport
    from pofx.queries.findings import Audit, Finding
    from pofx.queries.infill import infill
    from pofx.queries.marginal import Marginal, marginal
    from pofx.queries.next import Next
    from pofx.queries.next import next_token as next
    from pofx.queries.posterior import MixturePosterior, posterior
    from pofx.queries.sample import Draw, sample
    from pofx.queries.score import Scored, log_prob, prefix_log_prob, score
    from pofx.queries.terms import Terms
    from pofx.queries.words import Word, Worded, words
    from pofx.specs import NgramSpec, TransformerSpec
    from pofx.state import State
    from pofx.store import save
    from pofx.subword import SubwordVocab
    from pofx.trace import Trace, Want
    from pofx.transforms.bytewise import bytewise
    from pofx.transforms.deterministic import deterministic
    from pofx.transforms.given import given
    from pofx.transforms.interpolate import interpolate
    from pofx.transforms.mixture import mixture
    from pofx.transforms.warp import warp
    from pofx.transforms.windowed import windowed
    from pofx.vocab import ByteVocab, CharVocab, Vocab
    from pofx.word_vocab import WordVocab

__version__ = "0.1.0"

_HOMES = {
    "errors": "BadSource BadValue Impossible MissingExtra NoBOS NoEOS NoLaw NotText PofxError TooLong Undecodable Unreached",
    "assumptions": "corpus_report",
    "builtin": "builtin_documents",
    "classifier.estimator": "GenerativeClassifier",
    "corpus": "Document documents records split_documents",
    "folds": "cross_fit",
    "estimation": "fit",
    "loading": "load",
    "begin": "Begin",
    "lm": "LM",
    "state": "State",
    "models.ngram.arpa": "read_arpa write_arpa",
    "queries.audit": "audit",
    "queries.chat": "chat",
    "queries.compress": "Compression compress compression decompress",
    "queries.corpus_record": "CorpusReport",
    "queries.condition": "condition",
    "queries.conditioned": "Conditioned Outcome",
    "queries.conditions": "Condition Contains Length Matches",
    "queries.findings": "Audit Finding",
    "queries.infill": "infill",
    "queries.marginal": "Marginal marginal",
    "queries.next": "Next",
    "queries.posterior": "MixturePosterior posterior",
    "queries.sample": "Draw sample",
    "queries.score": "Scored log_prob prefix_log_prob score",
    "queries.terms": "Terms",
    "queries.words": "Word Worded words",
    "specs": "NgramSpec TransformerSpec",
    "store": "save",
    "subword": "SubwordVocab",
    "trace": "Trace Want",
    "transforms.bytewise": "bytewise",
    "transforms.deterministic": "deterministic",
    "transforms.given": "given",
    "transforms.interpolate": "interpolate",
    "transforms.mixture": "mixture",
    "transforms.warp": "warp",
    "transforms.windowed": "windowed",
    "vocab": "ByteVocab CharVocab Vocab",
    "word_vocab": "WordVocab",
}
_HOME_OF = {name: home for home, names in _HOMES.items() for name in names.split()}

__all__ = [  # noqa: RUF022  (in the order of the table above)
    "errors",
    "BadSource",
    "BadValue",
    "Impossible",
    "MissingExtra",
    "NoBOS",
    "NoEOS",
    "NoLaw",
    "NotText",
    "PofxError",
    "TooLong",
    "Undecodable",
    "Unreached",
    "corpus_report",
    "builtin_documents",
    "GenerativeClassifier",
    "Document",
    "documents",
    "records",
    "split_documents",
    "cross_fit",
    "fit",
    "load",
    "LM",
    "Begin",
    "State",
    "read_arpa",
    "write_arpa",
    "audit",
    "chat",
    "Compression",
    "compress",
    "compression",
    "decompress",
    "CorpusReport",
    "condition",
    "Conditioned",
    "Outcome",
    "Condition",
    "Contains",
    "Length",
    "Matches",
    "Audit",
    "Finding",
    "infill",
    "Marginal",
    "marginal",
    "next",
    "Next",
    "MixturePosterior",
    "posterior",
    "Draw",
    "sample",
    "Scored",
    "log_prob",
    "prefix_log_prob",
    "score",
    "Terms",
    "Word",
    "Worded",
    "words",
    "NgramSpec",
    "TransformerSpec",
    "save",
    "SubwordVocab",
    "Trace",
    "Want",
    "bytewise",
    "deterministic",
    "given",
    "interpolate",
    "mixture",
    "warp",
    "windowed",
    "ByteVocab",
    "CharVocab",
    "Vocab",
    "WordVocab",
]


def __getattr__(name: str) -> Any:
    if name == "errors":
        value: Any = importlib.import_module("pofx.errors")
    elif name == "next":
        value = importlib.import_module("pofx.queries.next").next_token
    elif name in _HOME_OF:
        value = getattr(importlib.import_module(f"pofx.{_HOME_OF[name]}"), name)
    else:
        raise AttributeError(f"module 'pofx' has no attribute {name!r}")
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
