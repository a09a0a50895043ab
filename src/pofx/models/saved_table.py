"""The opening of a saved model of tables: the file is mapped, and refused where it disagrees with its directory."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from numpy.typing import NDArray
from safetensors import SafetensorError

from pofx.errors import BadSource
from pofx.files.tensor_file import map_tensors
from pofx.vocab.vocabulary import Vocab

Refuse = Callable[[str], BadSource]


@dataclass(frozen=True, eq=False)
class SavedTable:
    """The arrays of model.safetensors, which stand on the file.

    Attributes:
        tensors: The arrays by their names.
        refuse: Makes the error of a file that lacks what config.json describes; its argument says what was found.
    """

    tensors: dict[str, NDArray[Any]]
    refuse: Refuse

    def column(self, name: str, dtype: Any, shape: tuple[int | None, ...]) -> NDArray[Any]:
        """Return an array, and refuse a file without it.

        Args:
            name: The name of the array.
            dtype: Its type.
            shape: Its shape; None for a side of any length.

        Raises:
            BadSource: The file has no such array.
        """
        found = self.tensors.get(name)
        if (
            found is None
            or found.dtype != dtype
            or found.ndim != len(shape)
            or any(side not in (None, has) for side, has in zip(shape, found.shape))
        ):
            sides = " × ".join("any" if side is None else str(side) for side in shape)
            raise self.refuse(f"no column {name!r} of {sides} numbers")
        return found


def open_table(directory: Path, config: dict[str, Any], vocab: Vocab, begin: bool, noun: str) -> SavedTable:
    """Map model.safetensors, and compare config.json with the other files of the directory.

    Args:
        directory: The directory of the files.
        config: The content of config.json.
        vocab: The vocabulary of tokenizer.json.
        begin: Whether the model has an x0.
        noun: What the file holds, for messages.

    Raises:
        BadSource: The file cannot be read, or config.json disagrees with the other files.
    """
    path = directory / "model.safetensors"

    def refuse(what: str) -> BadSource:
        return BadSource(
            f"{path}: expected the {noun} that config.json describes, got {what}",
            "fit or copy the model again",
        )

    try:
        tensors = map_tensors(path)
    except (SafetensorError, OSError, ValueError, KeyError) as e:
        raise refuse(f"no readable file ({str(e)[:80]})") from None
    expected = {
        "vocab_size": vocab.size,
        "bos_token_id": vocab.size if begin else None,
        "eos_token_id": vocab.end,
    }
    for name, value in expected.items():
        if name not in config or config[name] != value or isinstance(config[name], bool):
            raise refuse(
                f"{name} {config.get(name)!r:.40} in config.json, where the other files have {value!r}"
            )
    return SavedTable(tensors, refuse)
