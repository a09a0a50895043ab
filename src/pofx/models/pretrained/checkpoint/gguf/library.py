"""Calls of `transformers` on a GGUF file: in silence, and whatever it raises is the file's fault, in one line."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from pofx.errors import BadSource
from pofx.files.isolated.muffled_stderr import is_panic
from pofx.files.out_of_memory import is_out_of_memory, out_of_memory_error
from pofx.models.pretrained.checkpoint.gguf.header import ELSE


@contextmanager
def gguf_library_call(path: Path) -> Iterator[None]:
    """`BadSource` for whatever `transformers`, or a panic of tokenizers, raises on a file that passed our reader.

    Right: around one call of the library. Wrong: around code of ours, whose mistakes must look like mistakes.
    """
    from transformers.utils import logging

    before = logging.get_verbosity()
    logging.set_verbosity(logging.CRITICAL)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    except OSError:
        raise
    except BaseException as e:
        if is_out_of_memory(e):
            raise out_of_memory_error() from None
        if not (isinstance(e, Exception) or is_panic(e)):
            raise
        raise _refusal(path, e) from None
    finally:
        logging.set_verbosity(before)


def _refusal(path: Path, e: BaseException) -> BadSource:
    why = " ".join(f"{type(e).__name__}: {e}".split())
    return BadSource(f"{path}: expected a GGUF model that transformers can convert, got: {why:.200}", ELSE)
