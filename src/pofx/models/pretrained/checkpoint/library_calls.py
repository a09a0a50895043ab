"""Calls of `transformers` on files that somebody wrote: what they raise is about the files, and no mistake of ours."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path
from typing import Any

from pofx.errors import BadSource
from pofx.files.out_of_memory import is_out_of_memory, out_of_memory_error

# Fields that decide nothing here: the caller says the dtype, and labels are a classifier's (10^9 of them took minutes).
_UNUSED = (
    "dtype",
    "torch_dtype",
    "num_labels",
    "id2label",
    "label2id",
    "problem_type",
    "task_specific_params",
)


@contextmanager
def quiet() -> Iterator[None]:
    """Without what `transformers` logs below its errors, and without its bars; as it was afterwards.

    It tells of slower kernels, of defaults that it took, of weights that it made up: pofx compares the numbers with a
    probe, and refuses weights that are missing or left. Errors are heard. The level is the process's own, so that another
    thread's calls of `transformers` are as quiet meanwhile.
    """
    from transformers.utils import logging

    level, bars = logging.get_verbosity(), logging.is_progress_bar_enabled()
    logging.set_verbosity_error()
    logging.disable_progress_bar()
    try:
        yield
    finally:
        logging.set_verbosity(level)
        if bars:
            logging.enable_progress_bar()


@contextmanager
def library_call(directory: Path) -> Iterator[None]:
    """`BadSource` naming the library, for whatever is raised within; what it warns of is not shown (`quiet`).

    `OutOfMemory` where memory ran out.

    Right: around a call of the library alone. Wrong: around a call of our own, whose mistakes it would hide.
    """
    try:
        with quiet(), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    except Exception as e:  # the library's alone: it raises of every class on a file that is odd
        if is_out_of_memory(e):
            raise out_of_memory_error() from None
        why = " ".join(_said(e).split())
        why = "".join(c if c.isprintable() else "?" for c in why)
        raise BadSource(
            f"{directory}: expected a causal language model that transformers {version('transformers')} can "
            f"read, got: {why:.200}",
            "compare its files with the published ones",
        ) from None


def library_logits(model: Any, ids: Any, directory: Path) -> Any:
    """Return what a model of the library says of a batch of ids; within `library_call` is nothing but the call."""
    with library_call(directory):
        return model(input_ids=ids, use_cache=False).logits


def _said(e: Exception) -> str:
    """Return what a library raised, in words that a reader of its files understands."""
    if isinstance(e, KeyError) and e.args:
        return f"a name that it does not know, {e.args[0]!r}"
    name = type(e).__name__
    return str(e) if name.startswith("StrictDataclass") else f"{name}: {e}"


def library_config(kind: str, fields: dict[str, Any]) -> Any:
    """The library's config of a model type; to be called within `library_call`. Its own validation names bad fields."""
    from transformers import CONFIG_MAPPING

    made = CONFIG_MAPPING[kind]
    # Infinity is written as an object, which a reader of files turns back.
    return made.from_dict(made._decode_special_floats({k: v for k, v in fields.items() if k not in _UNUSED}))
