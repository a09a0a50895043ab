"""How many bytes a model takes, by the name it goes by: what a decoder must have beside the compressed file."""

from __future__ import annotations

from pathlib import Path

from pofx.models.saving import RECORD


def model_size(name: str) -> int:
    """Of its files as they lie on this disk: those named, those of the cache for a model that was made there."""
    path = Path(name)
    if path.is_file():
        return path.stat().st_size
    if not path.is_dir():
        path = _elsewhere(name)
    # What it was fitted on decides no number, so nobody needs the record to decode.
    return sum(p.stat().st_size for p in path.rglob("*") if p.is_file() and p.name != RECORD)


def _elsewhere(name: str) -> Path:
    from pofx.files.cache import cache_dir
    from pofx.models.loading import BUILTIN

    if name == BUILTIN:
        models = [p for p in cache_dir().glob("builtin-*") if p.is_dir()]  # beside them are the documents
        made = sorted(models, key=lambda p: p.stat().st_mtime)
        return made[-1] if made else cache_dir() / BUILTIN
    from pofx.models.pretrained.checkpoint.source import find_checkpoint

    return find_checkpoint(name)
