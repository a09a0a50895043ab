"""Small models behind a server: by what the server has to know of them, and a client that asks them."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from starlette.testclient import TestClient

import pofx
import tiny_checkpoints
from pofx.lm.model import LM
from pofx.server.app import make_app
from pofx.server.settings import Settings
from pofx.transforms.windowed import windowed
from pofx.vocab.vocabulary import ByteVocab, Vocab
from small_models import ngram
from tiny_transformers import scrambled

WORDS = """\\data\\
ngram 1=6
ngram 2=4

\\1-grams:
-99	<s>	-0.3
-0.9	</s>
-1.2	<unk>
-0.7	the	-0.3
-0.8	cat	-0.2
-0.9	sat	-0.1

\\2-grams:
-0.2	<s> the
-0.4	the cat
-0.5	cat sat
-0.3	sat </s>

\\end\\
"""


class AlikeVocab(Vocab):
    """Two ids that spell "a", one that spells a part of a character, and one that spells what stands for the first."""

    size, end = 6, 5
    token_bytes = (b"a", b"a", b"\xe2\x80", b"\x94", b"token_id:1", None)

    def encode(self, text: str | bytes) -> list[int]:
        return [{"a": 0, "—": 2}[c] for c in str(text)]


class Alike(LM):
    """Each token by a table of its predecessor, where some have no probability."""

    vocab = AlikeVocab()

    def start(self, n: int) -> pofx.State:
        return self._state(np.zeros(n, dtype=np.int64))

    def extend(self, state: pofx.State, ids: Any) -> pofx.State:
        return self._state(np.asarray(ids)[:, -1])

    def _state(self, last: Any) -> pofx.State:
        p = np.array([0.3, 0.3, 0.1, 0.2, 0.1, 0.0])
        with np.errstate(divide="ignore"):
            rows = np.log(np.stack([np.roll(p, int(i)) for i in last]).reshape(len(last), 6))
        return pofx.State(rows, last)


def make(home: Path) -> dict[str, LM]:
    """The models, by name."""
    (home / "words.arpa").write_text(WORDS)
    return {
        "bytes": ngram(),
        "no-x0": ngram(begin=False),
        "no-eos": ngram(end=False),
        "words": pofx.load(home / "words.arpa"),
        "alike": Alike(),
        "windows": windowed(scrambled(vocab=ByteVocab())),
        "hf-x0": pofx.load(tiny_checkpoints.write(home / "x0", adds="bos", opening=True)),
        "hf": pofx.load(tiny_checkpoints.write(home / "none")),
    }


@dataclass(frozen=True)
class Asked:
    """A client of the models."""

    http: TestClient
    models: dict[str, LM]

    def post(self, path: str, **body: Any) -> Any:
        return self.http.post(path, json=body)

    def ok(self, **body: Any) -> dict[str, Any]:
        """The answer to a request for completions."""
        answer = self.post("/v1/completions", **body)
        assert answer.status_code == 200, answer.text
        return dict(answer.json())

    def choice(self, **body: Any) -> dict[str, Any]:
        """The only choice of the answer."""
        (only,) = self.ok(**body)["choices"]
        return dict(only)

    def refused(self, **body: Any) -> tuple[int, str, str]:
        """The status, the code and the field of a refusal."""
        answer = self.post("/v1/completions", **body)
        error = answer.json()["error"]
        return answer.status_code, error["code"], error["param"]


@contextlib.contextmanager
def asked(models: dict[str, LM], settings: Settings = Settings(prefixes=0)) -> Iterator[Asked]:
    """A client of a server in this process, by default without a memory of prefixes, so that numbers agree to 1e-9."""
    with TestClient(make_app(list(models.items()), settings), base_url="http://localhost") as http:
        yield Asked(http, models)
