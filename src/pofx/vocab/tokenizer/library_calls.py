"""Calls of the tokenizers library: what the library raises is about a file or a text, and no mistake of ours."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from pofx.errors import BadSource, NotText
from pofx.files.isolated.muffled_stderr import is_panic
from pofx.files.out_of_memory import is_out_of_memory, out_of_memory_error


@contextmanager
def file_call(name: str) -> Iterator[None]:
    """Refuse the file where the library raises on its content.

    Args:
        name: The file, for the message.

    Raises:
        BadSource: The library raised an exception, or panicked.
        OutOfMemory: Memory ran out.

    Right: around one call of `tokenizers`. Wrong: around code of ours, whose mistakes must look like mistakes.
    """
    try:
        yield
    except BaseException as e:
        _raise_unless_library(e)
        what = " ".join(str(e).split())[:200] or type(e).__name__
        raise BadSource(
            f"{name}: expected a tokenizer.json that the tokenizers library can run, got: "
            f"{type(e).__name__}: {what}",
            "fetch it again",
        ) from None


@contextmanager
def text_call() -> Iterator[None]:
    """Refuse the text where the library raises on it.

    Raises:
        NotText: The library raised an exception, or panicked.
        OutOfMemory: Memory ran out.

    Right: around one call of `tokenizers`. Wrong: around code of ours, whose mistakes must look like mistakes.
    """
    try:
        yield
    except BaseException as e:
        _raise_unless_library(e)
        raise NotText(
            f"expected a text that this tokenizer can encode, got a text on which it fails: {e!s:.100}",
            "change the text, or use another model",
        ) from None


@contextmanager
def samples_of(name: str) -> Iterator[None]:
    """Refuse the file where its tokenizer refuses a sample text of ours: `NotText` becomes `BadSource`."""
    try:
        yield
    except NotText as e:
        raise BadSource(f"{name}: {e.subject}", "fetch it again") from None


def _raise_unless_library(e: BaseException) -> None:
    """Raise the exception again where it stops the process, and `OutOfMemory` where memory ran out."""
    if is_out_of_memory(e):
        raise out_of_memory_error() from None
    if not (isinstance(e, Exception) or is_panic(e)):
        raise e
