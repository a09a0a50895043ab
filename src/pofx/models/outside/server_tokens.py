"""The tokens of a server: the ids of a text, x0 and EOS, and the bytes that each id spells."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from pofx.errors import BadSource, NotText
from pofx.models.outside.completions import Completions
from pofx.models.outside.http_client import ServerRefused
from pofx.vocab.vocabulary import to_str

_BYTES, _ID = re.compile(r"bytes:((?:\\x[0-9a-fA-F]{2})+)"), re.compile(r"token_id:(\d+)")
# A server of letters or of words spells at least one of these texts.
PROBES = ("a", "the", "1")


@dataclass(frozen=True)
class SpecialTokens:
    """The x0, the EOS and the context that a server names.

    Attributes:
        begin: The name and the id of x0; None for a server without x0.
        end: The name and the id of EOS; None for a server without EOS.
        context: The longest text in tokens; None where the server does not say.
    """

    begin: tuple[str, int] | None
    end: tuple[str, int] | None
    context: int | None

    @property
    def names(self) -> dict[str, int]:
        """The ids of x0 and EOS by name."""
        return dict(t for t in (self.begin, self.end) if t is not None)


class ServerTokens:
    """The tokenizer of a server, by `/tokenize` and `/tokenizer_info`.

    Args:
        server: The model that is asked.

    Attributes:
        probe: A text that the server spells.
        known: Whether the server tokenizes.
        special: x0, EOS and the context.

    Raises:
        BadSource: The server cannot be reached.
    """

    def __init__(self, server: Completions) -> None:
        self._server = server
        self.special = SpecialTokens(None, None, None)
        info = server.client.ask("GET", "/tokenizer_info")
        self.probe = next((text for text in PROBES if self._ids(text)), PROBES[0])
        self.known = self._ids(self.probe) is not None
        said = info.json if info.ok and isinstance(info.json, dict) else {}
        if self.known:
            self.special = SpecialTokens(
                self._named(said.get("bos_token")), self._named(said.get("eos_token")), self._context()
            )

    def encode(self, text: str | bytes) -> list[int]:
        """Return the ids of a text, never x0 or EOS.

        Raises:
            NotText: The server refuses the text.
        """
        whole = to_str(text)
        if whole in self.special.names and len(whole) > 1:
            # Without this field a server answers the name of a control token with the id of the token.
            return [*self.encode(whole[:1]), *self.encode(whole[1:])]
        if not whole:
            return []
        ids = self._ids(whole)
        if ids is None:
            question = {"prompt": whole, "add_special_tokens": False}
            said = self._server.client.ask("POST", "/tokenize", self._server.question(question)).said
            raise NotText(
                f"expected a text that the server tokenizes, got a refusal: {said}", "pass another text"
            )
        return ids

    def names_of(self, ids: Sequence[int]) -> list[str] | None:
        """Return the name of each id as an echo shows it; None where the server does not echo ids."""
        asked = {"max_tokens": 1, "temperature": 0, "echo": True, "logprobs": 1}
        try:
            (choice,) = self._server.choices([ids], asked)
        except ServerRefused:
            return None
        return list(choice.tokens[: len(ids)]) if len(choice.tokens) >= len(ids) else None

    def spelled(self, i: int) -> bytes | None:
        """Return the bytes of an id by `/detokenize`; None where the bytes are no UTF-8, or the server does not answer."""
        try:
            found = self._server.post("/detokenize", {"tokens": [i]})
        except ServerRefused:
            return None
        text = found.get("prompt") if isinstance(found, dict) else None
        return None if not isinstance(text, str) or "\ufffd" in text else text.encode()

    def _ids(self, text: str) -> list[int] | None:
        question = {"prompt": text, "add_special_tokens": False}
        answer = self._server.client.ask("POST", "/tokenize", self._server.question(question))
        found: Any = answer.json.get("tokens") if answer.ok and isinstance(answer.json, dict) else None
        if answer.status in (401, 403):
            self._server.post("/tokenize", question)  # raises the error that names the key
        good = isinstance(found, list) and all(type(i) is int and i >= 0 for i in found)
        return found if good else None

    def _named(self, name: object) -> tuple[str, int] | None:
        ids = self._ids(name) if isinstance(name, str) and name else None
        return (str(name), ids[0]) if ids is not None and len(ids) == 1 else None

    def _context(self) -> int | None:
        found = self._server.post("/tokenize", {"prompt": self.probe, "add_special_tokens": False})
        told = found.get("max_model_len")
        return told if type(told) is int and told > 1 else None


def bytes_of_name(name: str) -> bytes | None:
    r"""Return the bytes of a token by its name: a text, or `bytes:\xe2\x80`; None for `token_id:7` and for U+FFFD."""
    if found := _BYTES.fullmatch(name):
        return bytes.fromhex(found[1].replace("\\x", ""))
    return None if _ID.fullmatch(name) or "\ufffd" in name else name.encode()


def id_of_name(name: str) -> int | None:
    """Return the id in a name such as `token_id:7`; None for another name."""
    found = _ID.fullmatch(name)
    return None if found is None else int(found[1])


def unreadable(server: Completions, what: str) -> BadSource:
    """Return the error of a server that answered a question before, and does not answer it now."""
    return BadSource(
        f"{server.client.address}: expected {what}, got another answer than before",
        "test the server with pofx check-server",
    )
