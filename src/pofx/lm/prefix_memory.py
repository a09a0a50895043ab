"""A memory of prefixes, so that a model does not read a prefix again that it has just read for another caller."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Protocol, TypeVar
from weakref import WeakKeyDictionary


class Room(Protocol):
    """The prefixes that one model keeps in a memory."""

    @property
    def bytes_kept(self) -> int:
        """The bytes of all prefixes that are kept now."""


R = TypeVar("R", bound=Room)


class PrefixMemory:
    """Room in which models keep the results of their prefixes, at most `size` bytes for each model.

    A model without such results ignores the memory. With a memory, log p of a token differs by some 1e-6 nats (SmolLM2: at
    worst 4e-5), since a batch without the found tokens adds up its sums in another order. A memory has no lock, so only
    one computation may run at any moment. Another computation may run while a computation pauses. A room lasts as long as
    its model.

    Args:
        size: The bytes for each model.
        observe: A function that is called once for each computation with three numbers: of the texts of which a prefix was
            found, of the found tokens, and of the tokens to compute. A token in a shared prefix counts once.

    Right: `with remember_prefixes(memory): lm.forward(paths)` or `lm.extend(state, prompt)`, again and again with the same
    memory.
    Wrong: a memory under `deterministic(lm)`, whose numbers then depend on the texts that were read before.
    """

    def __init__(
        self, size: int, observe: Callable[[int, int, int], None] = lambda texts, found, computed: None
    ) -> None:
        self.size, self.observe = size, observe
        self._rooms: WeakKeyDictionary[object, Room] = WeakKeyDictionary()

    @property
    def bytes_kept(self) -> int:
        """The bytes of all prefixes that all models keep now."""
        return sum(room.bytes_kept for room in self._rooms.values())

    def room(self, owner: object, make: Callable[[int], R]) -> R:
        """Return the room of the model `owner`, which `make(size)` makes at the first call."""
        if owner not in self._rooms:
            self._rooms[owner] = make(self.size)
        return self._rooms[owner]  # type: ignore[return-value]


_current: ContextVar[PrefixMemory | None] = ContextVar("prefix_memory", default=None)


@contextmanager
def remember_prefixes(memory: PrefixMemory | None) -> Iterator[None]:
    """Let models keep and find prefixes in a memory inside this context, also inside transforms; None for no memory."""
    before = _current.set(memory)
    try:
        yield
    finally:
        _current.reset(before)


def prefix_memory() -> PrefixMemory | None:
    """Return the memory of this context; None, the default, where models keep no prefixes."""
    return _current.get()
