"""Lines of R and of Python that read a written stimulus table and fit a regression of reading times."""

from __future__ import annotations

import keyword
import os
from collections.abc import Sequence
from dataclasses import dataclass

from pofx.stimuli.predictors import find_baseline, find_surprisals
from pofx.stimuli.stimulus_fields import READERS, TIMES, StimulusFields, find_known

TIME = "TIME"


@dataclass(frozen=True)
class Regression:
    """The columns of a regression of reading times.

    Attributes:
        time: The column of the times; `TIME` where no column has a known name.
        reader: The column of the reader; None where no column has a known name.
        item: The column of the item.
        baseline: The predictors of the baseline.
        models: The predictors of each model, the surprisal of the word first.
    """

    time: str
    reader: str | None
    item: str
    baseline: tuple[str, ...]
    models: tuple[tuple[str, ...], ...]


def regression_of(names: Sequence[str], fields: StimulusFields) -> Regression:
    """Find the columns of a regression among those of a written table.

    Args:
        names: The names of all columns, as written.
        fields: The columns of the texts, by their written names.
    """
    models = find_surprisals(names, None)
    taken = (fields.word, *fields.item)
    return Regression(
        find_known(names, TIMES, *taken, *([fields.order] if fields.order else [])) or TIME,
        find_known(names, READERS, *taken),
        fields.item[0],
        find_baseline(names, None),
        tuple(models.values()),
    )


def r_lines(file: str, found: Regression) -> list[str]:
    """Return lines of R: a linear mixed model of lme4 and an additive model of mgcv for each model of language.

    Args:
        file: The written table.
        found: The columns.
    """
    time, item = _r_name(found.time), _r_name(found.item)
    groups = [item] if found.reader is None else [_r_name(found.reader), item]
    out = ["library(lme4)", "library(mgcv)", f"d <- {_r_reading(file)}"]
    out += [f"d${g} <- factor(d${g})" for g in groups]
    for own in found.models:
        linear = [_r_name(n) for n in (*own, *found.baseline)]
        smooth = [*(f"s({_r_name(n)})" for n in own), *(_r_name(n) for n in found.baseline)]
        linear += [f"(1 | {g})" for g in groups]
        smooth += [f's({g}, bs = "re")' for g in groups]
        out.append(f"summary(lmer({time} ~ {' + '.join(linear)}, d))")
        out.append(f"summary(bam({time} ~ {' + '.join(smooth)}, data = d))")
    return out


def python_lines(file: str, found: Regression) -> list[str]:
    """Return lines of Python: a linear mixed model of statsmodels for each model of language.

    Args:
        file: The written table.
        found: The columns. The random intercept is of the reader, or else of the item.
    """
    group = found.item if found.reader is None else found.reader
    out = ["import pandas", "import statsmodels.formula.api as smf", f"d = {_python_reading(file)}"]
    for own in found.models:
        used = [found.time, *own, *found.baseline]
        formula = f"{_term(found.time)} ~ {' + '.join(_term(n) for n in used[1:])}"
        kept = f"d.dropna(subset={[*used, group]!r})"
        out.append(f"print(smf.mixedlm({formula!r}, {kept}, groups={group!r}).fit().summary())")
    return out


def _r_name(name: str) -> str:
    """Return a name of R between backticks, where every character is allowed."""
    return "`" + name.replace("\\", "\\\\").replace("`", "\\`") + "`"


def _r_string(text: str) -> str:
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def _r_reading(file: str) -> str:
    ending, packed = _ending(file)
    if packed != "zst" and ending in ("csv", "tsv"):
        reader = "read.csv" if ending == "csv" else "read.delim"
        return f"{reader}({_r_string(file)}, check.names = FALSE)"
    kinds = {"csv": "csv_arrow", "tsv": "tsv_arrow", "parquet": "parquet", "arrow": "feather"}
    return f"as.data.frame(arrow::read_{kinds.get(ending, 'json_arrow')}({_r_string(file)}))"


def _python_reading(file: str) -> str:
    ending, _ = _ending(file)
    call = {
        "csv": f"read_csv({file!r})",
        "tsv": f"read_csv({file!r}, sep='\\t')",
        "parquet": f"read_parquet({file!r})",
        "arrow": f"read_feather({file!r})",
    }
    return f"pandas.{call.get(ending, f'read_json({file!r}, lines=True)')}"


def _ending(file: str) -> tuple[str, str]:
    stem, last = os.path.splitext(file.lower())
    packed = last[1:] if last in (".gz", ".zst") else ""
    return (os.path.splitext(stem)[1] if packed else last)[1:], packed


def _term(name: str) -> str:
    """Return a name of a formula; a name that is no plain word stands in Q("…")."""
    plain = (
        name.isascii() and name.isidentifier() and not keyword.iskeyword(name) and name not in ("C", "I", "Q")
    )
    return name if plain else f"Q({name!r})"
