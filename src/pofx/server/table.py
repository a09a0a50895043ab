"""The models of a server, by name: a fixed table, made when the server starts."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from starlette.requests import Request

from pofx.lm.model import LM
from pofx.lm.prefix_memory import PrefixMemory
from pofx.server.batching.shared import SharedLM
from pofx.server.batching.turns import Turns
from pofx.server.incoming.errors import RequestError
from pofx.transforms.deterministic import deterministic


@dataclass(frozen=True)
class ServedModel:
    """A model and the name by which clients call it.

    Attributes:
        name: The name, as in the field `model` of a request.
        lm: The model, which takes turns with all others.
        bare: The model without the x0 that `with_begin` put before it; None for a model whose training had an x0.
        created: When the server loaded it, seconds since 1970.
    """

    name: str
    lm: LM
    bare: LM | None
    created: int = field(default_factory=lambda: int(time.time()))

    def encode(self, text: str) -> list[int]:
        """Return the ids of a text, which is normalised first if the server runs with `--normalize`."""
        read, _ = self.lm.vocab.read(text)
        return [int(i) for i in self.lm.vocab.encode(read)]


class Table:
    """The models of a server.

    Args:
        models: Each name and its model, as `pofx.load` gives it.
        alone: Whether each text is computed alone (`deterministic`).
        preparing: A function that returns how many requests are on their way to a model.
        observe: Called after each computation with the number of calls, the number of their tokens, and the seconds.
        memory: A memory of prefixes, which is not used where each text is computed alone.
    """

    def __init__(
        self,
        models: Sequence[tuple[str, LM]],
        alone: bool = False,
        preparing: Callable[[], int] = lambda: 0,
        observe: Callable[[int, int, float], None] = lambda calls, tokens, seconds: None,
        memory: PrefixMemory | None = None,
    ) -> None:
        turns = Turns()
        kept = None if alone else memory

        def share(lm: LM) -> SharedLM:
            return SharedLM(deterministic(lm) if alone else lm, turns, not alone, preparing, observe, kept)

        self._share = share
        self._shared: dict[int, tuple[LM, SharedLM]] = {}
        self._models: dict[str, ServedModel] = {}
        for name, lm in models:
            shared = self.shared(lm)
            self._models[name] = ServedModel(name, shared, shared.bare())

    def __iter__(self):  # type: ignore[no-untyped-def]
        return iter(self._models.values())

    def shared(self, lm: LM) -> SharedLM:
        """Return the model that takes turns with all others; the same LM gives the same object."""
        if id(lm) not in self._shared:
            self._shared[id(lm)] = lm, self._share(lm)  # the LM is kept, so that no other takes its id
        return self._shared[id(lm)][1]

    def asked_for(self, request: Request, name: str | None) -> ServedModel:
        """Return the model that a request asks for: the model of its address, or else the model of a name.

        Raises:
            RequestError: 404 if no model has the name, or if the address and the name are of two models.
        """
        at = request.path_params.get("served")
        if at is None:
            return self.model(name)
        if name not in (None, at):
            raise RequestError(
                404,
                "model_not_found",
                f"model: expected {at[:80]!r}, the model of this address, got {name[:80]!r}",
                "model",
                ("leave out the field model", "send the request to /v1/completions"),
            )
        return self.model(at)

    def model(self, name: str | None) -> ServedModel:
        """Return the model of a name, or the first model if `name` is None; `RequestError` 404 for an unknown name."""
        if name is None:
            return next(iter(self._models.values()))
        found = self._models.get(name)
        if found is None:
            known = ", ".join(self._models)
            raise RequestError(
                404,
                "model_not_found",
                f"model: expected one of {known}, got {name[:80]!r}",
                "model",
                ("name one of these models", "leave out the name, which asks the first one"),
            )
        return found
