"""What a library logs and warns of is heard in no call of pofx; what pofx warns of is, and the library keeps its voice."""

from __future__ import annotations

import json
import logging
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import transformers

import pofx
import tiny_checkpoints as tiny

LOGGER = "transformers.models.gpt2.modeling_gpt2"


@pytest.fixture
def heard() -> Iterator[list[str]]:
    """What reaches a reader of transformers' logger."""
    said: list[str] = []

    class Listener(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            said.append(record.getMessage())

    root, listener = logging.getLogger("transformers"), Listener()
    root.addHandler(listener)
    yield said
    root.removeHandler(listener)


@pytest.fixture
def chatty(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A checkpoint whose class logs a warning in every forward, and warns by `warnings` where it is made."""
    home = tiny.write(tmp_path / "m", "gpt2", adds="bos")
    forward, made = transformers.GPT2Model.forward, transformers.GPT2Model.__init__

    def telling(self: Any, *args: Any, **more: Any) -> Any:
        logging.getLogger(LOGGER).warning("a slower kernel")
        return forward(self, *args, **more)

    def warning(self: Any, *args: Any, **more: Any) -> None:
        warnings.warn("an option of torch", UserWarning, stacklevel=1)
        warnings.warn("a name will go", FutureWarning, stacklevel=1)
        made(self, *args, **more)

    monkeypatch.setattr(transformers.GPT2Model, "forward", telling)
    monkeypatch.setattr(transformers.GPT2Model, "__init__", warning)
    return home


def test_no_call_is_heard(chatty: Path, heard: list[str], capfd: pytest.CaptureFixture[str]) -> None:
    with warnings.catch_warnings(record=True) as warned:
        warnings.simplefilter("always")
        lm = pofx.load(chatty)
        pofx.score(lm, ["the cat"])
        pofx.words(lm, ["the cat"])
        pofx.next(lm, "the")
    assert (heard, warned, capfd.readouterr().err) == ([], [], "")


def test_the_library_is_heard_in_the_callers_own_calls(chatty: Path, heard: list[str]) -> None:
    lm = pofx.load(chatty)
    pofx.score(lm, ["the cat"])
    with warnings.catch_warnings(record=True) as warned:
        warnings.simplefilter("always")
        transformers.AutoModelForCausalLM.from_pretrained(chatty)
    assert {str(w.message) for w in warned} >= {"an option of torch", "a name will go"}
    logging.getLogger(LOGGER).warning("of the caller")
    assert heard == ["of the caller"]


def test_what_pofx_warns_of_is_heard(tmp_path: Path) -> None:
    home = tiny.write(tmp_path / "m", "gpt2", adds="bos")
    config = json.loads((home / "config.json").read_text())
    config["eos_token_id"] = tiny.SPECIALS.index("<|endoftext|>")
    (home / "config.json").write_text(json.dumps(config))
    (home / "generation_config.json").unlink(missing_ok=True)
    with pytest.warns(RuntimeWarning, match="eos"):
        pofx.load(home)
