"""The limits and the address of a server."""

from __future__ import annotations

from dataclasses import dataclass

# The limits that the description of the server states: prompts, tokens, bytes of text, likeliest tokens and continuations.
# One text of 100,000 bytes with all that the page asks for takes a server 310 MB and 7 s with the built-in n-gram.
# A short question beside the text waits 0.4 s at most, as it does beside 60,000. `queue` bounds what all requests hold.
PROMPTS, TOKENS, TEXT, TOP, DRAWS = 256, 131_072, 1 << 20, 100, 128
BODY = 8 << 20  # bytes
# A token of SmolLM2 takes 49 kB: the memory has 11,000 tokens, or 37 contexts of 300.
PREFIXES = 512 << 20  # bytes


@dataclass(frozen=True)
class Settings:
    """The address of a server, and the limits of one client.

    Attributes:
        host: The address to listen at; any address but loopback needs a key.
        port: The port; 0 for a free one.
        api_key: The key that every request but `/health` must bear; None for none.
        allowed_hosts: The names by which a server without a key may be called, in the header `Host`.
        origins: The origins whose pages may read answers in a browser (CORS); none by default.
        deterministic: Whether each text is computed alone, so that its number has the same bits in any company.
        body: The most bytes of a request.
        bodies: The most bytes of all bodies that are being received or parsed.
        text: The most bytes of all texts of a request together, counted before a text is tokenised.
        prompts: The most prompts of a request.
        tokens: The most tokens of a request, those to be generated included.
        queue: The most tokens of all requests that are admitted and not yet answered.
        top: The most likeliest tokens at a position.
        n: The most continuations of a prompt.
        workers: How many requests are worked on side by side; their passes take turns.
        timeout: The seconds that the work of one request may take in its thread, its wait for passes of others included.
        prefixes: The bytes in which each model keeps the prefixes that it has read, 0 for none; none is kept where
            `deterministic` is set.
        grace: The seconds that admitted requests may take after a signal to end.
    """

    host: str = "127.0.0.1"
    port: int = 8000
    api_key: str | None = None
    allowed_hosts: tuple[str, ...] = ("localhost", "127.0.0.1", "[::1]")
    origins: tuple[str, ...] = ()
    deterministic: bool = False
    body: int = BODY
    bodies: int = 64 << 20
    text: int = TEXT
    prompts: int = PROMPTS
    tokens: int = TOKENS
    queue: int = 1 << 20
    top: int = TOP
    n: int = DRAWS
    workers: int = 32
    timeout: float = 600.0
    prefixes: int = PREFIXES
    grace: float = 30.0
