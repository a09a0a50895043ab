"""How hostile files must be refused: `BadSource`, one line, which says what was expected and what pofx got."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from pofx.errors import BadSource, PofxError


def refusal(path: Path, how: Callable[[Path], Any]) -> str:
    """What a file is refused with, after its name."""
    with pytest.raises(BadSource) as e:
        how(path)
    message = str(e.value)
    assert message.startswith(str(path)), message
    assert "expected" in message
    assert "got" in message
    assert message.isprintable(), message
    assert len(message) < 400 + len(str(path))
    return message.removeprefix(str(path))


def decided(what: Callable[[], Any]) -> Any:
    """The answer, or None where the input was refused as it should be; anything else that is raised is a fault."""
    try:
        return what()
    except PofxError as e:
        refused = str(e)
    assert refused.isprintable(), refused
    return None
