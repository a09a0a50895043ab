"""Pins: an audit's verdict on the x0 and EOS of a model, in a file that every later load of the model reads."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import os
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryFile
from typing import Literal

import platformdirs

from pofx.errors import BadSource, BadValue
from pofx.files.atomic import write_atomically
from pofx.files.json_file import find_object, seal_of

FORMAT = 2
# A file of the unsealed format is checked by its fields alone; the next verdict replaces the file by a sealed one.
UNSEALED = 1
# A reason has a sentence or two; a longer file was not written by pofx.
MOST_BYTES = 1 << 16

_NOUN, _ADVICE = (
    "a verdict kept by pofx audit --pin",
    "forget the verdict (pofx audit -m MODEL --unpin) or remove the file",
)

Verdict = Literal["joint", "conditional", "prefix-only", "improper"]
VERDICTS: tuple[Verdict, ...] = ("joint", "conditional", "prefix-only", "improper")


@dataclass(frozen=True)
class Pin:
    """An audit in brief.

    Attributes:
        begin: The id of the x0 that the model was audited with; None without x0.
        end: The id of the EOS that the model was audited with; None without EOS.
        verdict: The verdict of the audit.
        reason: The reason of the verdict.
        begin_text: The name of x0.
        date: The date of the audit, in ISO form.
        version: The version of pofx.
    """

    begin: int | None
    end: int | None
    verdict: Verdict
    reason: str
    begin_text: str = ""
    date: str = ""
    version: str = ""


def data_dir() -> Path:
    """Return the directory of files that only the user can make again: `$POFX_DATA`, or the user's data directory.

    Right: `data_dir() / "pins"`. Wrong: a file that pofx can rebuild, which belongs in `cache_dir()`.
    """
    chosen = os.environ.get("POFX_DATA")
    return Path(chosen).expanduser() if chosen else platformdirs.user_data_path("pofx")


def pin(fingerprint: str, found: Pin) -> Path:
    """Keep a verdict for the model of this fingerprint; the verdict replaces an older one.

    Args:
        fingerprint: The fingerprint of the model.
        found: The verdict.

    Returns:
        The file that holds the verdict.

    Raises:
        BadValue: The model has no fingerprint; a fitted model has its x0 in its own files.
        BadSource: The file cannot be written.

    Right: `pin(lm.fingerprint, Pin(2, 1, "joint", reason))`. Wrong: a pin of an n-gram that pofx fitted.
    """
    path = _path(fingerprint)
    record = {"format": FORMAT, "fingerprint": fingerprint, **dataclasses.asdict(found)}
    record["seal"] = seal_of(record)
    try:
        write_atomically(path, (json.dumps(record, indent=1) + "\n").encode("ascii"))
    except OSError as e:
        raise _no_place(path, e) from None
    return path


def check_pin(fingerprint: str) -> Path:
    """Raise before an audit the errors that `pin` would raise after the audit; only the directory of the file is made.

    Returns:
        The file that `pin` would write.

    Raises:
        BadValue: The model has no fingerprint.
        BadSource: The directory takes no file.
    """
    path = _path(fingerprint)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        # A trial file, since permissions do not say whether a disk or a mount takes a file.
        with TemporaryFile(dir=path.parent):
            pass
    except OSError as e:
        raise _no_place(path, e) from None
    return path


def _no_place(path: Path, e: OSError) -> BadSource:
    return BadSource(
        f"{path}: expected a place to keep the verdict, got: {e.strerror or e}",
        "choose a directory: POFX_DATA",
    )


def find_pin(fingerprint: str) -> Pin | None:
    """Return the pinned verdict of a model; None without a pin.

    Raises:
        BadSource: The file is damaged. Without the verdict in the file, the model would silently get another x0.
    """
    if not fingerprint:
        return None
    path = _path(fingerprint)
    record = find_object(path, MOST_BYTES, _NOUN, _ADVICE)
    if record is None:
        return None
    if record.get("format") not in (UNSEALED, FORMAT):
        raise _damaged(path, f"no record of format {UNSEALED} or {FORMAT}")
    if record.get("fingerprint") != fingerprint:
        raise _damaged(path, "the verdict of another model")
    if record["format"] == FORMAT and record.pop("seal", None) != seal_of(record):
        raise _damaged(path, "a file that was changed")
    del record["format"], record["fingerprint"]
    return _checked(path, record)


def unpin(fingerprint: str) -> bool:
    """Remove the pinned verdict of a model, sound or damaged, and return whether there was one."""
    if not fingerprint:
        return False
    path = _path(fingerprint)
    try:
        path.unlink()
    except (FileNotFoundError, NotADirectoryError):
        return False
    except OSError as e:
        raise BadSource(
            f"{path}: expected to remove the verdict, got: {e.strerror or e}",
            "check the permissions of the directory",
        ) from None
    return True


def _checked(path: Path, record: dict[str, object]) -> Pin:
    ids = [record.get(key) for key in ("begin", "end")]
    texts = [record.get(key) for key in ("verdict", "reason", "begin_text", "date", "version")]
    if (
        set(record) != {f.name for f in dataclasses.fields(Pin)}
        or not all(i is None or (type(i) is int and i >= 0) for i in ids)
        or not all(isinstance(t, str) for t in texts)
        or record["verdict"] not in VERDICTS
    ):
        raise _damaged(path, "other fields")
    return Pin(**record)  # type: ignore[arg-type]


def _damaged(path: Path, found: str) -> BadSource:
    return BadSource(f"{path}: expected {_NOUN}, got {found}", _ADVICE)


def _path(fingerprint: str) -> Path:
    if not fingerprint:
        raise BadValue(
            "expected a pretrained model, whose x0 is a matter of evidence, got a model without a fingerprint",
            "a model fitted here has its x0 in its own files",
            argument="pin",
        )
    name = hashlib.blake2b(fingerprint.encode("utf-8", "surrogatepass"), digest_size=16).hexdigest()
    return data_dir() / "pins" / f"{name}.json"
