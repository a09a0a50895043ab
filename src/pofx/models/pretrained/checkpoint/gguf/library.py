"""Calls of `transformers` on a GGUF file, without output. Each exception of the library becomes an error of one line."""

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
    """Raise `BadSource` for every exception of `transformers`, or panic of tokenizers, on a file that our reader accepts.

    Right: `with gguf_library_call(path): gguf.dequantize(piece, kind)`. Wrong: code of pofx inside the block, whose bugs
    must look like bugs.
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
