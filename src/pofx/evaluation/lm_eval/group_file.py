"""A group of lm-eval as its YAML file states it: the names of its tasks, whose files lie in the folder of the group."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any

from pofx.errors import BadSource
from pofx.evaluation.lm_eval.fields import Fields
from pofx.evaluation.lm_eval.group import GroupMetric, TaskGroup
from pofx.evaluation.lm_eval.plain_yaml import read_mapping
from pofx.evaluation.lm_eval.prompts import finished
from pofx.evaluation.lm_eval.task import Task
from pofx.evaluation.lm_eval.task_file import task_of_mapping

MOST_FILES = 4096  # of a folder; lm-eval's own has some thousand tasks in each of its larger folders
MOST_NESTED = 16
_OF_A_GROUP = {"group", "group_alias", "task", "aggregate_metric_list", "metadata", "tag"}


def is_group(values: Mapping[str, Any]) -> bool:
    """Return whether a mapping states a group of tasks, and not one task."""
    return "group" in values or isinstance(values.get("task"), list)


def read_group(path: str | os.PathLike[str]) -> TaskGroup:
    """Read a group of tasks: a YAML file with `group` and a list `task`.

    A task of the list is the name of a task or a group in a .yaml file of the same folder or a folder below, or a mapping
    that changes some fields of a task, or states a whole task or group. Other fields of the group are changes of all its
    tasks.

    Args:
        path: The YAML file.

    Returns:
        The group, with finished tasks.

    Raises:
        BadSource: The file is no such group, or a task of it cannot be read.
        MissingExtra: PyYAML or Jinja is not installed.

    Right: `read_group("blimp.yaml").tasks`. Wrong: the tag of some tasks, which is no group.
    """
    file = Path(path)
    values = read_mapping(file)
    folder = _Folder(file.parent)
    name = Fields(str(path), values).text("group", None) or file.stem
    group = _built(_Place(folder, str(path), ()), name, values, {})
    names = [t.name for t in group.tasks]
    twice = next((n for n in names if names.count(n) > 1), None)
    if twice is not None:
        raise BadSource(
            f"{path}: expected tasks of different names, got two named {twice!r}", "mend the group"
        )
    return group


@dataclass
class _Folder:
    """The files of tasks and groups in a folder and below, by the names that they state."""

    path: Path
    files: dict[str, Path] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for file in sorted(islice(self.path.rglob("*.yaml"), MOST_FILES)):
            try:
                values = read_mapping(file)
            except BadSource:
                # A file with code is no task that can be read. It is named where a group asks for it.
                self.files.setdefault(file.stem, file)
                continue
            name = values.get("group") or values.get("task")
            if isinstance(name, str):
                self.files[name] = file


@dataclass(frozen=True)
class _Place:
    """The place of a group: the folder, the file, and the names of the groups around it."""

    folder: _Folder
    path: str
    above: tuple[str, ...]


def _built(place: _Place, name: str, values: Mapping[str, Any], changes: Mapping[str, Any]) -> TaskGroup:
    fields = Fields(place.path, values)
    if name in place.above or len(place.above) >= MOST_NESTED:
        raise fields.refused("group", f"expected groups that do not hold each other, got {name} again")
    changes = {**{k: v for k, v in values.items() if k not in _OF_A_GROUP}, **changes}
    inside = _Place(place.folder, place.path, (*place.above, name))
    listed = values.get("task")
    members = [
        _member(inside, name, one, changes) for one in (listed if isinstance(listed, list) else [listed])
    ]
    groups = tuple(m for m in members if isinstance(m, TaskGroup))
    tasks = tuple(t for m in members for t in (m.tasks if isinstance(m, TaskGroup) else (m,)))
    if not tasks:
        raise fields.refused("task", "expected a list of tasks, got none")
    return TaskGroup(name, tasks, _metrics(fields), groups)


def _member(place: _Place, group: str, listed: Any, changes: Mapping[str, Any]) -> Task | TaskGroup:
    """Return a task or a group that a group lists."""
    own = {"task": listed} if isinstance(listed, str) else listed
    fields = Fields(place.path, own if isinstance(own, dict) else {})
    if not isinstance(own, dict) or not isinstance(own.get("group", own.get("task")), str):
        raise fields.refused(
            "task", f"expected a name, or a mapping with a task or a group, got {listed!r:.60}"
        )
    name = str(own.get("group", own.get("task")))
    file = place.folder.files.get(name)
    if "group" in own and file is None:
        return _built(place, f"{group}::{name}", own, changes)
    changes = {**changes, **{k: v for k, v in own.items() if k not in ("task", "group")}}
    if file is None:
        if isinstance(listed, str):
            told = f"expected the name of a task in a .yaml file of {place.folder.path}, got {name!r}"
            raise fields.refused("task", told, "put the file of this task there")
        return finished(task_of_mapping(place.path, {**changes, "task": f"{group}::{name}"}))
    values = read_mapping(file)
    if is_group(values):
        return _built(_Place(place.folder, str(file), place.above), name, values, changes)
    return finished(task_of_mapping(str(file), {**values, **changes}))


def _metrics(fields: Fields) -> tuple[GroupMetric, ...]:
    listed = fields.value("aggregate_metric_list", [])
    out = []
    for one in listed if isinstance(listed, list) else [listed]:
        if not isinstance(one, dict) or not isinstance(one.get("metric"), str):
            raise fields.refused("aggregate_metric_list", f"expected mappings with a metric, got {one!r:.60}")
        filters, how = one.get("filter_list"), one.get("aggregation", "mean")
        if filters not in (None, "none", ["none"]) or how != "mean":
            raise fields.refused(
                "aggregate_metric_list", f"expected means without filters, got {one!r:.60}", "mend the group"
            )
        out.append(GroupMetric(one["metric"], bool(one.get("weight_by_size", True))))
    return tuple(out)
