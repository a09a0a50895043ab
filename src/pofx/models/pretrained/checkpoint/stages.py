"""The stages in which a pretrained model is found and loaded, as `progress` of `load` receives them."""

from __future__ import annotations

from collections.abc import Callable
from enum import StrEnum


class Stage(StrEnum):
    """A stage of loading; its value is the line that a person who waits reads."""

    FETCHING = "fetching the model"
    READING = "reading"
    JOINING = "joining the parts"
    CONVERTING_WEIGHTS = "converting weights"
    CONVERTING_TOKENIZER = "converting the tokenizer"
    WRITING = "writing"
    LOADING = "loading the library's model"
    COMPARING = "comparing with the library's forward, once"
    COMPARING_STEPS = "comparing one pass with token by token, once"

    @property
    def once(self) -> bool:
        """Whether the stage converts a file, which takes long and happens only the first time."""
        return self in (Stage.CONVERTING_WEIGHTS, Stage.CONVERTING_TOKENIZER)


# A function that is called with a stage and the fraction of the stage that is done.
StageListener = Callable[[Stage, float], None]
