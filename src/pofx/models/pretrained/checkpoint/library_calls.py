"""Calls of `transformers` on the files of strangers. An exception of such a call is a fault of the files, and no bug."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path
from typing import Any

from pofx.errors import BadSource
from pofx.files.out_of_memory import is_out_of_memory, out_of_memory_error

# Fields that decide no probability. The caller names the dtype, and labels belong to classifiers (10^9 labels took minutes).
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
    """Silence the warnings and the bars of `transformers` inside this context; its errors are still logged.

    The library warns of slower kernels, of defaults, and of weights that it initialised. pofx compares the numbers with a
    probe, and refuses missing weights and weights without a place. The whole process has one log level, so the calls of
    other threads are silent meanwhile, too.
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
    """Call the library inside this context, with its warnings silenced.

    Raises:
        BadSource: The library raised an exception; the message names the library.
        OutOfMemory: Memory ran out.

    Right: `with library_call(directory): model(ids)`. Wrong: code of pofx inside the block, whose bugs the error would hide.
    """
    try:
        with quiet(), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    except (
        Exception
    ) as e:  # only the library is called here, and odd files make it raise exceptions of every class
        if is_out_of_memory(e):
            raise out_of_memory_error() from None
        why = " ".join(_said(e).split())
        why = "".join(c if c.isprintable() else "?" for c in why)
        raise BadSource(
            f"{directory}: expected a causal language model that transformers {version('transformers')} can "
            f"read, got: {why:.200}",
            "compare the files with the published files",
        ) from None


def library_logits(model: Any, ids: Any, directory: Path) -> Any:
    """Return the logits of a model of the library for a batch of ids, by a call within `library_call`."""
    with library_call(directory):
        return model(input_ids=ids, use_cache=False).logits


def _said(e: Exception) -> str:
    """Return the exception of a library in words that a reader of its files understands."""
    if isinstance(e, KeyError) and e.args:
        return f"an unknown name, {e.args[0]!r}"
    name = type(e).__name__
    return str(e) if name.startswith("StrictDataclass") else f"{name}: {e}"


def library_config(kind: str, fields: dict[str, Any]) -> Any:
    """Return the library's config of a model type, whose own validation names bad fields; call within `library_call`."""
    from transformers import CONFIG_MAPPING

    made = CONFIG_MAPPING[kind]
    # The library writes infinity as an object, and reads the object as infinity only from a file.
    return made.from_dict(made._decode_special_floats({k: v for k, v in fields.items() if k not in _UNUSED}))
