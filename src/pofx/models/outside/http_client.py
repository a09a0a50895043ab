"""The client of an OpenAI-style server: it sends a question as JSON, and returns a bounded answer or raises."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self

from pofx.errors import Advice, BadSource, BadValue, require
from pofx.models.outside.address import URL, is_loopback, server_address
from pofx.values import check_real_number, check_whole_number, show_value

CONNECT_SECONDS = 10.0
# A page of 3,000 tokens with 100 log-probabilities a token is 20 MB of JSON.
MOST_BYTES = 64 << 20
_SHOWN = 300  # characters of a server's own message; a server may answer with a whole page


class ServerRefused(BadSource):
    """A server answered with an HTTP error.

    Attributes:
        status: The HTTP status, such as 400.
        server_code: The field `code` of the server's error, such as "context_length_exceeded"; "" without one.
        retry_after: The header `Retry-After` in seconds; None where the server sent none, or a date.
    """

    def __init__(self, message: str, status: int, server_code: str, retry_after: float | None) -> None:
        advice = Advice("pass the key of the server", "api_key=…", "--api-key")
        super().__init__(message, advice if status in (401, 403) else None)
        self.status, self.server_code, self.retry_after = status, server_code, retry_after


@dataclass(frozen=True)
class Answer:
    """The answer of a server to one request.

    Attributes:
        status: The HTTP status.
        headers: The headers, whose names are in lower case.
        text: The body as text; bytes that are no UTF-8 are replaced.
        json: The value of the body, or None where the body is no JSON. NaN and the infinities are read as Python does.
        constants: The constants NaN, Infinity and -Infinity in the body, which JSON forbids.
        fault: The reason why the body is no JSON; "" for JSON.
    """

    status: int
    headers: Mapping[str, str]
    text: str
    json: Any
    constants: tuple[str, ...] = ()
    fault: str = ""

    @property
    def ok(self) -> bool:
        """Whether the status is 2xx."""
        return 200 <= self.status < 300

    @property
    def error(self) -> Mapping[str, Any]:
        """The object `error` of OpenAI's errors; empty for a body without this object."""
        found = self.json.get("error") if isinstance(self.json, dict) else None
        return found if isinstance(found, dict) else {}

    @property
    def said(self) -> str:
        """The server's own message of an error, on one line and not longer than 300 characters."""
        found: Any = self.error.get("message")
        if not found and isinstance(self.json, dict):
            found = next((self.json[k] for k in ("error", "message", "detail") if self.json.get(k)), None)
        line = " ".join((found if isinstance(found, str) else self.text).split())
        return line if len(line) <= _SHOWN else line[: _SHOWN - 1] + "…"


class ServerClient:
    """A client of one server, which keeps its connection open between requests.

    Args:
        url: The address, with or without `/v1` at its end.
        api_key: The key, sent in the header `Authorization` to this server only; None sends none.
        seconds: The longest time for one answer, from the request to the last byte.
        most_bytes: The largest answer; a larger one is refused before it is read to its end.

    Raises:
        BadValue: The address or the key is malformed, or a number is out of range.
        MissingExtra: The package httpx2 is not installed.

    No redirect is followed, so that neither the key nor the text reaches another host. On the way to a loopback address no
    proxy of the environment is used.

    Right: `with ServerClient("http://127.0.0.1:8000") as server: server.post("/tokenize", {"prompt": "a"})`.
    Wrong: `ServerClient("http://key@127.0.0.1:8000")`.
    """

    def __init__(
        self, url: str, api_key: str | None = None, *, seconds: float = 300.0, most_bytes: int = MOST_BYTES
    ) -> None:
        self.address = server_address(url)
        self._seconds = check_real_number("seconds", seconds, 0, above=True)
        self._most = check_whole_number("most_bytes", most_bytes, 1)
        self._http: Any = require("httpx2", "serve", "asking a server")
        headers = {"Accept": "application/json", "Accept-Encoding": "identity", "User-Agent": "pofx"}
        if api_key is not None:
            headers["Authorization"] = f"Bearer {_checked_key(api_key)}"
        self._client: Any = self._http.Client(
            headers=headers,
            timeout=self._http.Timeout(self._seconds, connect=min(CONNECT_SECONDS, self._seconds)),
            follow_redirects=False,
            trust_env=not is_loopback(self.address),
            verify=self.address.startswith("https:"),  # reading certificates takes 0.2 s, and http has none
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the connections; the client cannot be used afterwards."""
        self._client.close()

    def get(self, path: str) -> Answer:
        """Send GET for a path such as "/v1/models", and return the JSON answer; the errors are those of `post`."""
        return self._wanted(path, self.ask("GET", path))

    def post(self, path: str, question: Mapping[str, Any]) -> Answer:
        """Send a question, and return its JSON answer.

        Args:
            path: The path, such as "/v1/completions".
            question: The JSON object to send.

        Returns:
            The answer, whose status is 2xx and whose `json` is strict JSON.

        Raises:
            BadSource: The server cannot be reached, is too slow, sends too much, redirects, or sends no strict JSON.
            ServerRefused: The server answered with an HTTP error; a subclass of `BadSource`.

        Right: `server.post("/v1/completions", {"prompt": [1], "max_tokens": 1}).json["choices"]`. Wrong: `post` to learn
        the status of a bad question, which `ask` returns.
        """
        return self._wanted(path, self.ask("POST", path, question))

    def ask(
        self,
        method: str,
        path: str,
        question: Mapping[str, Any] | None = None,
        *,
        content: bytes | None = None,
    ) -> Answer:
        """Send a request, and return the answer whatever its status and body are.

        Args:
            method: "GET" or "POST".
            path: The path, from its first slash.
            question: The JSON object to send; None for a request without a body.
            content: Bytes to send as if they were JSON, in place of a question.

        Returns:
            The answer.

        Raises:
            BadSource: The server cannot be reached, is too slow, or sends more than `most_bytes`.
            BadValue: The address cannot be asked.
        """
        if question is not None:
            content = json.dumps(question, allow_nan=False).encode()
        kind = {} if content is None else {"Content-Type": "application/json"}
        http = self._http
        try:
            with self._client.stream(method, self.address + path, content=content, headers=kind) as response:
                body = self._body(response)
        except http.ConnectTimeout:
            raise self._lost(f"no connection within {CONNECT_SECONDS:g} s") from None
        except http.ConnectError as e:
            raise self._lost(f"no connection ({e})") from None
        except http.TimeoutException:
            raise self._slow() from None
        except http.InvalidURL as e:
            raise BadValue(
                f"expected an address, got {self.address!r:.120} ({e})", "check its spelling", URL
            ) from None
        except http.HTTPError as e:
            raise self._lost(f"a broken connection ({type(e).__name__}: {e})") from None
        headers = {str(k).lower(): str(v) for k, v in response.headers.items()}
        return _read(int(response.status_code), headers, body)

    def _body(self, response: Any) -> bytes:
        """Read the body, and refuse more than `most_bytes`."""
        packed = response.headers.get("content-encoding", "identity").lower()
        if packed not in ("identity", ""):
            raise BadSource(
                f"{self.address}: expected a plain answer, got the encoding {packed!r:.40}",
                "let the server send answers as they are",
            )
        end = time.monotonic() + self._seconds
        parts, size = [], 0
        for part in response.iter_raw():
            size += len(part)
            if size > self._most:
                raise BadSource(
                    f"{self.address}: expected at most {self._most} bytes, got a longer answer",
                    Advice("ask for fewer tokens at once, or allow more bytes", "most_bytes=…"),
                )
            if time.monotonic() > end:
                raise self._slow()
            parts.append(part)
        return b"".join(parts)

    def _wanted(self, path: str, answer: Answer) -> Answer:
        where = f"{self.address}{path}"
        if 300 <= answer.status < 400:
            raise BadSource(
                f"{where}: expected an answer, got a redirect to {answer.headers.get('location', '')!r:.120}",
                "pass the address to which the server redirects, if you trust that host",
            )
        if not answer.ok:
            code = answer.error.get("code")
            raise ServerRefused(
                f"{where}: expected an answer, got HTTP status {answer.status}: {answer.said}",
                answer.status,
                code if isinstance(code, str) else "",
                _seconds_of(answer.headers.get("retry-after", "")),
            )
        if answer.fault or answer.constants:
            why = answer.fault or f"the value {answer.constants[0]}"
            raise BadSource(
                f"{where}: expected JSON, got {why}", "check that the address belongs to a model server"
            )
        return answer

    def _lost(self, why: str) -> BadSource:
        return BadSource(
            f"{self.address}: expected a server, got {why}", "start the server, or check its address"
        )

    def _slow(self) -> BadSource:
        return BadSource(
            f"{self.address}: expected an answer within {self._seconds:g} s, got none",
            Advice("check that the server works, or allow more time", "seconds=…"),
        )


def _read(status: int, headers: Mapping[str, str], body: bytes) -> Answer:
    """Parse a body, and note the constants in it that JSON forbids."""
    constants: list[str] = []

    def constant(name: str) -> float:
        constants.append(name)
        return float(name)

    text = body.decode("utf-8", "replace")
    try:
        value = json.loads(body.decode("utf-8"), parse_constant=constant)
    except UnicodeDecodeError:
        return Answer(status, headers, text, None, fault="bytes that are no UTF-8")
    except (ValueError, RecursionError):
        start = " ".join(text[:120].split())
        return Answer(status, headers, text, None, fault=f"{start!r:.80}" if start else "an empty body")
    return Answer(status, headers, text, value, tuple(dict.fromkeys(constants)))


def _checked_key(key: str) -> str:
    """Return a key that a header can carry; the message never shows the key."""
    if not isinstance(key, str) or not key or not key.isascii() or not key.isprintable() or " " in key:
        found = "other characters" if isinstance(key, str) and key else show_value(key)
        raise BadValue(f"expected a key of printable ASCII, got {found}", None, argument="api_key")
    return key


def _seconds_of(header: str) -> float | None:
    return float(header) if header.isascii() and header.isdigit() and len(header) < 10 else None
