"""Verdicts that are kept: what an audit found of a model's x0 and EOS, for every time it is loaded."""

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
# Such a file has no seal, and is read by its fields alone; the next verdict replaces it by a sealed one.
UNSEALED = 1
# A reason is a sentence or two; a longer file is none of ours.
MOST_BYTES = 1 << 16

_NOUN, _ADVICE = (
    "a verdict kept by pofx audit --pin",
    "forget it (pofx audit -m MODEL --unpin) or remove the file",
)

Verdict = Literal["joint", "conditional", "prefix-only", "improper"]
VERDICTS: tuple[Verdict, ...] = ("joint", "conditional", "prefix-only", "improper")


@dataclass(frozen=True)
class Pin:
    """An audit in brief. begin, end: ids of the x0 and the EOS it was made with, None for none (0 is an id).

    begin_text: the name of x0. verdict, reason: the audit's. date: of the audit, ISO. version: of pofx.
    """

    begin: int | None
    end: int | None
    verdict: Verdict
    reason: str
    begin_text: str = ""
    date: str = ""
    version: str = ""


def data_dir() -> Path:
    """Return the directory of what cannot be made again without the user: `$POFX_DATA`, or the user's data directory.

    Right: `data_dir() / "pins"`. Wrong: for what can be rebuilt, which belongs in `cache_dir()`.
    """
    chosen = os.environ.get("POFX_DATA")
    return Path(chosen).expanduser() if chosen else platformdirs.user_data_path("pofx")


def pin(fingerprint: str, found: Pin) -> Path:
    """Keep a verdict for the model of this fingerprint, in place of an older one; the file it is in.

    `BadValue` for a model without a fingerprint: one fitted here has its x0 in its own files. `BadSource` where
    nothing can be written. Right: `pin(lm.fingerprint, Pin(2, 1, "joint", reason))`.
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
    """Refuse, before an audit is made, what `pin` would refuse after it; the file that `pin` would write.

    Nothing but its directory is left there.
    """
    path = _path(fingerprint)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        # By trying: what a disk or a mount takes is not told by permissions.
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
    """Return the verdict that is kept for a model, None where there is none. `BadSource` for a damaged file.

    A damaged one is no missing one: without it a model would silently be given another x0.
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
        raise _damaged(path, "that of another model")
    if record["format"] == FORMAT and record.pop("seal", None) != seal_of(record):
        raise _damaged(path, "it changed")
    del record["format"], record["fingerprint"]
    return _checked(path, record)


def unpin(fingerprint: str) -> bool:
    """Forget the verdict of a model; whether there was one, sound or damaged."""
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
