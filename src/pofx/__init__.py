"""Language models as joint probability distributions over strings: fit, score, sample and audit them.

    p(x) = p(x1|x0) · p(x2|x0,x1) · … · p(EOS|x0,x)

Each name is imported on first use. So `import pofx` is fast, and loads neither numpy nor torch.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pofx import errors, plot
    from pofx.classification.estimator import GenerativeClassifier
    from pofx.corpus.builtin import builtin_documents
    from pofx.corpus.documents import Document, documents, records
    from pofx.corpus.split import split_documents
    from pofx.cross_fitting.assumptions import corpus_report
    from pofx.cross_fitting.folds import cross_fit
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
    from pofx.evaluation.choice_report import ChoiceReport
    from pofx.evaluation.choices import evaluate_choices
    from pofx.evaluation.comparison import Comparison, compare
    from pofx.evaluation.items import ChoiceItem, Pair
    from pofx.evaluation.lm_eval.group import GroupReport, TaskGroup, evaluate_group
    from pofx.evaluation.lm_eval.group_file import read_group
    from pofx.evaluation.lm_eval.prompts import read_task
    from pofx.evaluation.lm_eval.report import TaskReport, evaluate_task
    from pofx.evaluation.pairs import PairReport, evaluate_pairs
    from pofx.filtering.files import load_filter, save_filter
    from pofx.filtering.fitting import fit_filter
    from pofx.filtering.quality import Judgement, QualityFilter, filter_texts
    from pofx.interactive.table import to_arrow, to_pandas
    from pofx.lm.begin import Begin
    from pofx.lm.model import LM
    from pofx.lm.scorer import Scorer
    from pofx.lm.state import State
    from pofx.lm.trace import Trace, Want
    from pofx.models.adapting import adapt
    from pofx.models.fitting import fit
    from pofx.models.loading import load
    from pofx.models.ngram.arpa import read_arpa, write_arpa
    from pofx.models.outside.callable import from_callable
    from pofx.models.outside.connect import connect
    from pofx.models.saving import save
    from pofx.models.specs import MixingSpec, NgramSpec, TransformerSpec
    from pofx.queries.audit.audit import audit
    from pofx.queries.compression.compress import Compression, compress, compression
    from pofx.queries.compression.decompress import decompress
    from pofx.queries.conditioning.condition import condition
    from pofx.queries.conditioning.conditioned import Conditioned, Outcome
    from pofx.queries.conditioning.conditions import Condition, Contains, Length, Matches
    from pofx.queries.conditioning.infill import infill
    from pofx.queries.corpus_audit.record import CorpusReport
    from pofx.queries.difference.diff import Difference, diff
    from pofx.queries.findings import Audit, Finding
    from pofx.queries.marginal.marginal import Marginal, marginal
    from pofx.queries.next_unit.next import Next
    from pofx.queries.next_unit.next import next_token as next
    from pofx.queries.posterior import MixturePosterior, posterior
    from pofx.queries.sample import Draw, sample
    from pofx.queries.scoring.chat import chat
    from pofx.queries.scoring.log_probs import log_probs
    from pofx.queries.scoring.score import Scored, log_prob, prefix_log_prob, score
    from pofx.queries.scoring.terms import Terms
    from pofx.queries.words.words import Word, Worded, words
    from pofx.report.progress import ProgressBar
    from pofx.stimuli.predictive_power import PredictivePower, predictive_power
    from pofx.stimuli.stimulus_table import StimulusTable, measure_stimuli
    from pofx.transforms.bytewise.bytewise import bytewise
    from pofx.transforms.deterministic import deterministic
    from pofx.transforms.given import given
    from pofx.transforms.interpolate import interpolate
    from pofx.transforms.mixture import mixture
    from pofx.transforms.warp import warp
    from pofx.transforms.windowed import windowed
    from pofx.vocab.subwords import SubwordVocab
    from pofx.vocab.vocabulary import ByteVocab, CharVocab, Vocab
    from pofx.vocab.words import WordVocab


from pofx.interactive.shown import register as _register
from pofx.version import __version__ as __version__

_HOMES = {
    "errors": "BadSource BadValue Impossible MissingExtra NoBOS NoEOS NoLaw NotText PofxError TooLong Undecodable Unreached",
    "cross_fitting.assumptions": "corpus_report",
    "corpus.builtin": "builtin_documents",
    "classification.estimator": "GenerativeClassifier",
    "corpus.documents": "Document documents records",
    "corpus.split": "split_documents",
    "cross_fitting.folds": "cross_fit",
    "evaluation.choice_report": "ChoiceReport",
    "evaluation.choices": "evaluate_choices",
    "evaluation.comparison": "Comparison compare",
    "evaluation.items": "ChoiceItem Pair",
    "evaluation.lm_eval.group": "GroupReport TaskGroup evaluate_group",
    "evaluation.lm_eval.group_file": "read_group",
    "evaluation.lm_eval.prompts": "read_task",
    "evaluation.lm_eval.report": "TaskReport evaluate_task",
    "evaluation.pairs": "PairReport evaluate_pairs",
    "filtering.files": "load_filter save_filter",
    "filtering.fitting": "fit_filter",
    "filtering.quality": "Judgement QualityFilter filter_texts",
    "models.adapting": "adapt",
    "models.fitting": "fit",
    "models.loading": "load",
    "models.outside.callable": "from_callable",
    "models.outside.connect": "connect",
    "interactive.table": "to_arrow to_pandas",
    "lm.begin": "Begin",
    "lm.model": "LM",
    "lm.scorer": "Scorer",
    "lm.state": "State",
    "models.ngram.arpa": "read_arpa write_arpa",
    "queries.audit.audit": "audit",
    "queries.scoring.chat": "chat",
    "queries.compression.compress": "Compression compress compression",
    "queries.compression.decompress": "decompress",
    "queries.corpus_audit.record": "CorpusReport",
    "queries.conditioning.condition": "condition",
    "queries.conditioning.conditioned": "Conditioned Outcome",
    "queries.conditioning.conditions": "Condition Contains Length Matches",
    "queries.difference.diff": "Difference diff",
    "queries.findings": "Audit Finding",
    "queries.conditioning.infill": "infill",
    "queries.marginal.marginal": "Marginal marginal",
    "queries.next_unit.next": "Next",
    "queries.posterior": "MixturePosterior posterior",
    "queries.sample": "Draw sample",
    "queries.scoring.log_probs": "log_probs",
    "queries.scoring.score": "Scored log_prob prefix_log_prob score",
    "queries.scoring.terms": "Terms",
    "queries.words.words": "Word Worded words",
    "report.progress": "ProgressBar",
    "models.specs": "MixingSpec NgramSpec TransformerSpec",
    "models.saving": "save",
    "vocab.subwords": "SubwordVocab",
    "lm.trace": "Trace Want",
    "stimuli.predictive_power": "PredictivePower predictive_power",
    "stimuli.stimulus_table": "StimulusTable measure_stimuli",
    "transforms.bytewise.bytewise": "bytewise",
    "transforms.deterministic": "deterministic",
    "transforms.given": "given",
    "transforms.interpolate": "interpolate",
    "transforms.mixture": "mixture",
    "transforms.warp": "warp",
    "transforms.windowed": "windowed",
    "vocab.vocabulary": "ByteVocab CharVocab Vocab",
    "vocab.words": "WordVocab",
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
    "ChoiceReport",
    "TaskReport",
    "TaskGroup",
    "GroupReport",
    "evaluate_choices",
    "evaluate_task",
    "evaluate_group",
    "read_task",
    "read_group",
    "Comparison",
    "compare",
    "ChoiceItem",
    "Pair",
    "PairReport",
    "evaluate_pairs",
    "load_filter",
    "save_filter",
    "fit_filter",
    "Judgement",
    "QualityFilter",
    "filter_texts",
    "adapt",
    "fit",
    "load",
    "from_callable",
    "connect",
    "to_arrow",
    "to_pandas",
    "LM",
    "Begin",
    "Scorer",
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
    "Difference",
    "diff",
    "Audit",
    "Finding",
    "infill",
    "Marginal",
    "marginal",
    "next",
    "Next",
    "MixturePosterior",
    "plot",
    "posterior",
    "Draw",
    "sample",
    "Scored",
    "log_prob",
    "log_probs",
    "prefix_log_prob",
    "score",
    "Terms",
    "Word",
    "Worded",
    "words",
    "ProgressBar",
    "MixingSpec",
    "NgramSpec",
    "TransformerSpec",
    "save",
    "PredictivePower",
    "predictive_power",
    "StimulusTable",
    "measure_stimuli",
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
    if name in ("errors", "plot"):
        value: Any = importlib.import_module(f"pofx.{name}")
    elif name == "next":
        value = importlib.import_module("pofx.queries.next_unit.next").next_token
    elif name in _HOME_OF:
        value = getattr(importlib.import_module(f"pofx.{_HOME_OF[name]}"), name)
    else:
        raise AttributeError(f"module 'pofx' has no attribute {name!r}")
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)


def _line(value: Any) -> str | None:
    from pofx.report.one_line import one_line

    return one_line(value)


def _html(value: Any) -> str | None:
    from pofx.report.html.notebook import notebook_html

    return notebook_html(value)


# `report/` writes the records of all floors. It is imported when the first record is shown, so `import pofx` stays fast.
_register(_line, _html)
