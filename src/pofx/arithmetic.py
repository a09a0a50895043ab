"""The arithmetic that decides the last digits of a number: device, instruction set, threads, versions of libraries."""

from __future__ import annotations

import importlib
import platform
import re
import sys
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np

# The libraries that PyTorch brings, and the place of their versions in `torch.__config__`.
_WITHIN_TORCH = (
    ("oneDNN", re.compile(r"MKL-DNN v?([\w.]+)")),
    ("MKL", re.compile(r"Math Kernel Library Version ([\w.]+)")),
)
# A message shows at most this many characters of a value, since a value from a file can have any length.
_SHOWN = 80


@dataclass(frozen=True)
class Arithmetic:
    """All that decides the rounding of a sum of floating-point numbers, beside the numbers themselves.

    Attributes:
        device: The device on which the model computes: "cpu".
        machine: The kind of processor, as Python names it: "x86_64", "arm64".
        instructions: The instruction set that each library uses, in the words of the library.
        threads: How many threads share a product; None where the number decides no bit.
        libraries: Name and version of each library that computes.
    """

    device: str
    machine: str
    instructions: str
    threads: int | None
    libraries: tuple[tuple[str, str], ...]

    @property
    def parts(self) -> dict[str, str]:
        """Each part by its name, as text, for a file."""
        return {
            "device": self.device,
            "machine": self.machine,
            "instruction set": self.instructions,
            **({} if self.threads is None else {"threads": str(self.threads)}),
            **dict(self.libraries),
        }


@dataclass(frozen=True)
class Engine:
    """The libraries and the device that compute for a model; together with the machine they decide the `Arithmetic`.

    Attributes:
        libraries: The packages that compute for the model, beside numpy, which computes for every model.
        device: The device on which the model computes.
        threaded: Whether several threads share a product, so that their number decides how a sum is split.

    Right: `Engine(("torch",), threaded=True)`. Wrong: `Engine(("tokenizers",))`, since that library cuts texts and computes
    no probability.
    """

    libraries: tuple[str, ...] = ()
    device: str = "cpu"
    threaded: bool = False

    def arithmetic(self) -> Arithmetic:
        """Return the arithmetic of this process. The call imports the libraries of the model, and no others."""
        instructions = [f"{_numpy_instructions()} (numpy)"]
        libraries = {"numpy": np.__version__}
        threads = None
        for name in self.libraries:
            if name != "torch":
                libraries[name] = _version(name)
                continue
            torch: Any = importlib.import_module("torch")
            instructions.append(f"{torch.backends.cpu.get_cpu_capability()} (torch)")
            libraries |= _torch_libraries(str(torch.__version__), torch.__config__.show())
            threads = torch.get_num_threads() if self.threaded else None
        return Arithmetic(
            self.device, platform.machine(), ", ".join(instructions), threads, tuple(libraries.items())
        )


# The engine of a model that uses no library but numpy.
NUMPY = Engine()


def join_engines(engines: Iterable[Engine]) -> Engine:
    """Return the engine of several models that compute one number together."""
    every = list(engines)
    return Engine(
        tuple(dict.fromkeys(name for e in every for name in e.libraries)),
        " | ".join(dict.fromkeys(e.device for e in every)),
        any(e.threaded for e in every),
    )


@contextmanager
def one_thread() -> Iterator[None]:
    """Let torch compute with one thread inside this context, if a model has loaded torch."""
    torch: Any = sys.modules.get("torch")
    before = 1 if torch is None else torch.get_num_threads()
    if before == 1:
        yield
        return
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def list_differences(was: Iterable[Mapping[str, str]], here: Mapping[str, str]) -> tuple[str, ...]:
    """List the parts in which earlier arithmetic differs from that of `here`.

    Args:
        was: `Arithmetic.parts` of each earlier computation. The first one that differs is reported.
        here: `Arithmetic.parts` of this computation.

    Returns:
        A line for each part that differs; () where all parts are equal.
    """
    for there in was:
        parts = [name for name in {**there, **here} if there.get(name) != here.get(name)]
        if parts:
            return tuple(
                f"{_shown(n)}: {_shown(there.get(n))} there, {_shown(here.get(n))} here" for n in parts
            )
    return ()


def _numpy_instructions() -> str:
    """Return the instruction sets that numpy has code for and finds in the processor, in the words of numpy."""
    sets: Mapping[str, Any] = (np.show_config(mode="dicts") or {}).get("SIMD Extensions", {})
    return " ".join(sets.get("found") or sets.get("baseline") or ["none"])


def _torch_libraries(own: str, config: str) -> dict[str, str]:
    """Return the version of PyTorch, and the versions of the libraries in it that `config` states."""
    found = {name: pattern.search(config) for name, pattern in _WITHIN_TORCH}
    return {"torch": own, **{name: match[1] for name, match in found.items() if match}}


def _version(name: str) -> str:
    from importlib.metadata import PackageNotFoundError, version  # 30 ms, for runs with a journal only

    try:
        return version(name)
    except PackageNotFoundError:
        return "unknown"


def _shown(value: str | None) -> str:
    # The value comes from a file, which may hold anything.
    plain = "".join(c if c.isprintable() else repr(c)[1:-1] for c in (value or "nothing")[:_SHOWN])
    return plain if len(plain) < _SHOWN else f"{plain[: _SHOWN - 1]}…"
