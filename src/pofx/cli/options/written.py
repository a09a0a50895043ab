"""Checks of every path that a verb writes: the path is no input, no second output, and no finished result."""

from __future__ import annotations

import glob
import os
import stat
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click

from pofx.cli.command import Command
from pofx.errors import BadValue, not_replaced
from pofx.files.urls import check_local, local_path

# The parameters of all verbs that name inputs: files, directories and models. A model may have another name than a path.
READ = (
    *("file", "files", "test_files", "chat", "directory", "model", "model_name", "names", "reference"),
    *("against", "languages", "good", "bad", "frequency_files", "text_files"),
)
# The endings of a model's files. Writing over such a file in an input directory would damage the model.
_OF_A_MODEL = (".json", ".safetensors", ".model", ".txt", ".jinja", ".gguf", ".arpa", ".arpa.gz")
STREAM = "-"
_OVERWRITE = "pofx.overwrite"

# The parameters of a command, by name, as the user set them.
Values = Mapping[str, Any]


def _is_there(path: Path, values: Values) -> bool:
    return path.is_file()


class Written(click.Path):
    """The type of a parameter that names a file, or a directory, to be written.

    Attributes:
        beside: A function of the path; it names further files that the verb writes beside it.
        finished: A function of the path and the parameters: whether a finished output stands there, which would be lost.
        unnamed: A function of the parameters: the path that the verb writes where this parameter is not given; None for
            no path.

    Right: `type=Written(dir_okay=False)`, in a command of class `Verb`. Wrong: this type for a file that is only read.
    """

    def __init__(
        self,
        dir_okay: bool = False,
        allow_dash: bool = False,
        beside: Callable[[Path], Iterable[Path]] = lambda path: (),
        finished: Callable[[Path, Values], bool] = _is_there,
        unnamed: Callable[[Values], str | None] = lambda values: None,
    ) -> None:
        super().__init__(dir_okay=dir_okay, allow_dash=allow_dash)
        self.beside, self.finished, self.unnamed = beside, finished, unnamed

    def is_in_store(self, path: str) -> bool:
        """Return whether the path is the URL of a store that the verb writes to; the verb itself then asks the store."""
        return False


class Verb(Command):
    """A command that writes files, which has --overwrite, and calls `check_written` before any work."""

    def __init__(self, *args: Any, **others: Any) -> None:
        super().__init__(*args, **others)
        if any(isinstance(p.type, Written) for p in self.params):
            self.params.append(
                click.Option(["--overwrite"], is_flag=True, help="Replace an output that exists.")
            )

    def invoke(self, ctx: click.Context) -> Any:
        """Check the paths, and run the command."""
        ctx.meta[_OVERWRITE] = ctx.params.pop("overwrite", False)
        check_written(ctx)
        return super().invoke(ctx)


def may_overwrite() -> bool:
    """Return whether the running command may replace a finished output."""
    return bool(click.get_current_context().meta.get(_OVERWRITE, False))


def model_finished(path: Path, values: Values) -> bool:
    """Return whether a whole model stands at the path: a directory of pofx, or an ARPA file."""
    from pofx.models.saving import CARD, is_arpa_name

    return path.is_file() if is_arpa_name(path) else (path / CARD).is_file()


@dataclass(frozen=True)
class _Place:
    """A path as the user gave it, the parameter that named it, and the real file (None where there is no file yet)."""

    given: str
    by: str
    real: Path | None
    inode: tuple[int, int] | None
    directory: bool

    def is_(self, other: _Place) -> bool:
        """Return whether both places are one file: by name, by a symbolic link or by a hard link."""
        if self.inode is not None and other.inode is not None:
            return self.inode == other.inode
        return self.real is not None and self.real == other.real

    def is_in(self, other: _Place) -> bool:
        """Return whether this place lies in that directory."""
        return self.real is not None and other.real is not None and other.real in self.real.parents


def check_written(ctx: click.Context) -> None:
    """Check every path that the verb writes, and lock each until the verb ends.

    Devices, pipes and standard output are left out: /dev/null may be named more than once.

    Raises:
        BadValue: A path is a URL, is also read, is written twice, is finished, or its directory takes no new file.
        BadSource: Another process is writing such a path.
    """
    read = list(_read(ctx))
    written: list[_Place] = []
    for target in _written(ctx):
        check_local(target.given, target.by)
        _check_room(target)
        for source in read:
            if target.directory and source.is_in(target):
                raise BadValue(
                    f"{target.by}: expected a directory of its own, to be replaced as a whole, got {target.given!r}, "
                    f"which holds {source.given!r} of {source.by}",
                    "name another directory",
                )
            if target.is_(source):
                raise BadValue(
                    f"{target.by}: expected another file than the input, got {target.given!r}, which {source.by} "
                    f"reads{'' if source.given == target.given else f' as {source.given!r}'}",
                    "name another file to write",
                )
            if source.directory and target.is_in(source) and _matters(target):
                raise BadValue(
                    f"{target.by}: expected no file in a directory that {source.by} reads, got {target.given!r} in "
                    f"{source.given!r}",
                    "name another file to write",
                )
        for other in written:
            nested = (target.directory and other.is_in(target)) or (other.directory and target.is_in(other))
            if (
                {other.given, target.given} != {STREAM}
                and other.by != target.by
                and (target.is_(other) or nested)
            ):
                raise BadValue(
                    f"{target.by}: expected another file than {other.by} writes, got {target.given!r}"
                    f"{'' if other.given == target.given else f' and {other.given!r}'}",
                    "name another file to write",
                )
        written.append(target)
    _lock(ctx, [place.given for place in written if place.given != STREAM])
    # This check comes after the lock is taken, since the other process may have finished a moment ago.
    _check_finished(ctx)
    _tell_new_directories(ctx)


def _tell_new_directories(ctx: click.Context) -> None:
    """Print a line for each new directory above an output, since its name may be mistyped."""
    if ctx.params.get("quiet"):
        return
    local = [(n, path) for kind, n, path in _named(ctx) if path != STREAM and not kind.is_in_store(path)]
    parents = dict.fromkeys((name, os.path.dirname(path.rstrip(os.sep))) for name, path in local)
    for name, parent in parents:
        if parent and not os.path.lexists(parent):
            click.echo(f"pofx: {name}: the directory {parent!r} is new, and will be made", err=True)


def lock_output(path: Path) -> None:
    """Lock a path that no parameter names, until the verb ends."""
    _lock(click.get_current_context(), [str(path)])


def _lock(ctx: click.Context, paths: list[str]) -> None:
    if paths:
        from pofx.files.locks import locked_outputs

        ctx.with_resource(locked_outputs(paths))


def _check_finished(ctx: click.Context) -> None:
    """Refuse to replace a finished output, unless --overwrite says so."""
    targets = [(kind, path) for kind, _, path in _named(ctx) if path != STREAM]
    if ctx.meta[_OVERWRITE]:
        if not targets:
            raise click.UsageError("--overwrite: expected a path to write, got none.")
        return
    for kind, path in targets:
        if kind.finished(Path(path), ctx.params):
            raise not_replaced(path)


def _check_room(target: _Place) -> None:
    """Raise `BadValue` where the directory takes no new file, since a file is first written beside its path."""
    if target.given == STREAM or target.real is None:
        return
    above = next(p for p in target.real.parents if os.path.lexists(p))
    if above.is_dir() and not os.access(above, os.W_OK | os.X_OK):
        raise BadValue(
            f"{target.by}: expected a place to write, got {target.given!r} in a directory that takes no new "
            "file",
            "name another path, or change the permissions of the directory",
        )


def _matters(target: _Place) -> bool:
    return target.inode is not None and target.given.lower().endswith(_OF_A_MODEL)


def _read(ctx: click.Context) -> Iterator[_Place]:
    for parameter in ctx.command.params:
        if parameter.name not in READ:
            continue
        value = ctx.params.get(parameter.name)
        for given in (value,) if isinstance(value, str) else value or ():
            # An argument LABEL=FILE names the file of a class.
            for path in dict.fromkeys((given, given.partition("=")[2])):
                yield from _places(local_path(path), _name(parameter))


def _places(path: str, by: str) -> Iterator[_Place]:
    if not path:
        return
    found = _place(path, by, 0)
    if found is not None and (found.inode is not None or path == STREAM):
        yield found
    elif glob.has_magic(path):
        for one in glob.iglob(path, recursive=True):
            each = _place(one, by, 0)
            if each is not None:
                yield each


def _written(ctx: click.Context) -> Iterator[_Place]:
    """Yield each path that is written; a directory is replaced with all its files."""
    for kind, name, path in _named(ctx):
        if kind.is_in_store(path):
            continue
        found = _place(path, name, 1, kind.dir_okay)
        if found is not None:
            yield found
        if path != STREAM:
            for more in kind.beside(Path(path)):
                extra = _place(str(more), name, 1)
                if extra is not None:
                    yield extra
    out = _place(STREAM, "standard output", 1)
    if out is not None:
        yield out


def _named(ctx: click.Context) -> Iterator[tuple[Written, str, str]]:
    """Yield the type, the name and the path of each parameter whose path is written."""
    for parameter in ctx.command.params:
        if isinstance(parameter.type, Written):
            value = ctx.params.get(parameter.name or "")
            path = parameter.type.unnamed(ctx.params) if value is None else value
            if path is not None:
                yield parameter.type, _name(parameter), path


def _place(path: str, by: str, stream: int, replaces: bool = False) -> _Place | None:
    """Return the place of a path; None for a device, a pipe, or a stream that is no file."""
    try:
        info = os.fstat(stream) if path == STREAM else os.stat(path)
    except (OSError, ValueError):
        if path == STREAM:
            return None
        return _Place(path, by, _real(path), None, replaces)
    if not (stat.S_ISREG(info.st_mode) or stat.S_ISDIR(info.st_mode)):
        return None
    real = None if path == STREAM else _real(path)
    return _Place(path, by, real, (info.st_dev, info.st_ino), stat.S_ISDIR(info.st_mode))


def _real(path: str) -> Path | None:
    try:
        return Path(os.path.realpath(path))
    except (OSError, ValueError):  # the reader of the file refuses a name with a zero byte
        return None


def _name(parameter: click.Parameter) -> str:
    if isinstance(parameter, click.Option):
        return max(parameter.opts, key=len) if parameter.name != "out" else "-o"
    return (parameter.name or "").upper()
