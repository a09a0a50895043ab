"""The models of a server, by name: a fixed table, made when the server starts."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from starlette.requests import Request

from pofx.lm.model import LM
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
        """The ids of a text as the vocabulary reads it, normalized where the server runs with `--normalize`."""
        read, _ = self.lm.vocab.read(text)
        return [int(i) for i in self.lm.vocab.encode(read)]


class Table:
    """The models of a server.

    Args:
        models: Each name and its model, as `pofx.load` gives it.
        alone: Whether each text is computed alone (`deterministic`).
        preparing: Returns how many requests are on their way to a model.
        observe: Called after each computation, as `SharedLM` does.
    """

    def __init__(
        self,
        models: Sequence[tuple[str, LM]],
        alone: bool = False,
        preparing: Callable[[], int] = lambda: 0,
        observe: Callable[[int, int, float], None] = lambda calls, tokens, seconds: None,
    ) -> None:
        turns = Turns()

        def share(lm: LM) -> SharedLM:
            return SharedLM(deterministic(lm) if alone else lm, turns, not alone, preparing, observe)

        self._share = share
        self._shared: dict[int, tuple[LM, SharedLM]] = {}
        self._models: dict[str, ServedModel] = {}
        for name, lm in models:
            shared = self.shared(lm)
            self._models[name] = ServedModel(name, shared, shared.bare())

    def __iter__(self):  # type: ignore[no-untyped-def]
        return iter(self._models.values())

    def shared(self, lm: LM) -> SharedLM:
        """A model that takes turns with all others; one and the same for one LM."""
        if id(lm) not in self._shared:
            self._shared[id(lm)] = lm, self._share(lm)  # the LM is kept, so that no other takes its id
        return self._shared[id(lm)][1]

    def asked_for(self, request: Request, name: str | None) -> ServedModel:
        """The model that a request asks for: the model of its address, or else the model of a name.

        Raises:
            RequestError: 404 where there is no such model, or the address is that of another.
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
        """The model of a name; the first one for a request that names none."""
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
