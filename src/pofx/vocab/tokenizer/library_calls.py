"""Calls of the tokenizers library: its exceptions are about a file or a text, and are no mistakes of pofx."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from pofx.errors import BadSource, NotText
from pofx.files.isolated.muffled_stderr import is_panic
from pofx.files.out_of_memory import is_out_of_memory, out_of_memory_error


class LibraryRefused(Exception):
    """The library raised on the content of a file. `opening_file` names the file in the error that users see."""


@contextmanager
def file_call() -> Iterator[None]:
    """Turn exceptions of the library into `LibraryRefused`, which is about the content of a file.

    Raises:
        LibraryRefused: The library raised an exception, or panicked.
        OutOfMemory: Memory ran out.

    Right: around one call of `tokenizers`, inside `opening_file`. Wrong: around code of pofx, whose mistakes must look like
    mistakes.
    """
    try:
        yield
    except BaseException as e:
        _raise_unless_library(e)
        what = " ".join(str(e).split())[:200] or type(e).__name__
        raise LibraryRefused(f"{type(e).__name__}: {what}") from None


@contextmanager
def opening_file(name: str) -> Iterator[None]:
    """Refuse a file where the library, or its tokenizer of a sample text, refuses its content.

    Args:
        name: The file, for the message.

    Raises:
        BadSource: `LibraryRefused` or `NotText` was raised.
    """
    try:
        yield
    except LibraryRefused as e:
        raise BadSource(
            f"{name}: expected a tokenizer.json that the tokenizers library can run, got: {e}",
            "fetch it again",
        ) from None
    except NotText as e:
        raise BadSource(f"{name}: {e.subject}", "fetch it again") from None


@contextmanager
def text_call() -> Iterator[None]:
    """Refuse the text where the library raises on it.

    Raises:
        NotText: The library raised an exception, or panicked.
        OutOfMemory: Memory ran out.

    Right: around one call of `tokenizers`. Wrong: around code of pofx, whose mistakes must look like mistakes.
    """
    try:
        yield
    except BaseException as e:
        _raise_unless_library(e)
        raise NotText(
            f"expected a text that this tokenizer can encode, got a text on which it fails: {e!s:.100}",
            "change the text, or use another model",
        ) from None


def _raise_unless_library(e: BaseException) -> None:
    """Raise the exception again if it is to stop the process, and `OutOfMemory` where memory ran out."""
    if is_out_of_memory(e):
        raise out_of_memory_error() from None
    if not (isinstance(e, Exception) or is_panic(e)):
        raise e
