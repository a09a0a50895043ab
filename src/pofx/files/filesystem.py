"""The file system of fsspec that a URL names, and its errors as `OSError`."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from pofx.errors import BadSource, MissingExtra

# The package of a store that an extra of pofx installs, by the name of the module that fsspec misses.
_EXTRAS = {"s3fs": "'pofx[s3]'"}


def filesystem_of(url: str) -> tuple[Any, str]:
    """Return the file system of fsspec for a URL, and the path in it.

    Raises:
        BadSource: fsspec knows no such protocol, or the library of the store refuses.
        MissingExtra: The protocol needs a package that is not installed.
    """
    from fsspec.core import url_to_fs

    try:
        system, path = url_to_fs(url)
    except ImportError as e:
        cause = e.__cause__ or e.__context__
        package = (getattr(cause, "name", None) or "").split(".")[0]
        raise MissingExtra(
            f"reading {url} needs {f'the package {package!r}' if package else 'a package'}, which is not installed",
            f"install it with: pip install {_EXTRAS.get(package, package)}" if package else str(e),
        ) from None
    except ValueError as e:
        raise BadSource(
            f"{url!r}: expected a path, or a URL of a protocol that fsspec knows, got: {e}",
            "check the path",
        ) from None
    except (
        Exception
    ) as e:  # the library of the store has exceptions of its own, such as for missing credentials
        raise BadSource(
            f"{url!r}: expected a store that can be reached, got: {said(e)}", "check the path"
        ) from None
    return system, str(path)


def said(e: BaseException) -> str:
    """Return an exception of a store in one line."""
    if isinstance(e, FileNotFoundError):
        return os.strerror(errno.ENOENT)
    return f"{type(e).__name__}: {str(e).splitlines()[0] if str(e) else 'no reason given'}"


@contextmanager
def store_errors() -> Iterator[None]:
    """Turn the exceptions of a store into an `OSError`; a missing object has the message of a missing file."""
    try:
        yield
    except (FileNotFoundError, PermissionError) as e:
        # fsspec calls each refusal of the web a missing file: a bad certificate, a closed port, a login.
        if e.__cause__ is not None and type(e.__cause__).__module__.startswith("aiohttp"):
            raise OSError(said(e.__cause__)) from None
        code = errno.ENOENT if isinstance(e, FileNotFoundError) else errno.EACCES
        raise OSError(code, os.strerror(code)) from None
    except (FileExistsError, MemoryError):
        raise
    except OSError as e:
        if e.errno is None and len(str(e).splitlines()) > 1:  # gcsfs repeats the answer of the store
            raise OSError(str(e).splitlines()[0]) from None
        raise
    except Exception as e:
        raise OSError(said(e)) from None
