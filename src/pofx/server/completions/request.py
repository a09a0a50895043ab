"""The request of `POST /v1/completions`."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, StrictBool, StrictInt, StrictStr

Ids = list[StrictInt]


class CompletionRequest(BaseModel):
    """OpenAI's legacy completion, and the fields of vLLM that say more of a prompt.

    Attributes:
        model: The name of a model; None for the first one.
        prompt: A text, texts, token ids, or lists of token ids.
        echo: Whether the prompt is part of the answer, with its log-probabilities.
        logprobs: How many likeliest tokens are reported at each position; None for no log-probabilities.
        max_tokens: The most tokens to generate.
        temperature: The temperature of the draw; 0 for the likeliest token each time.
        add_special_tokens: Whether a text stands behind x0; ids are always taken as they are.
    """

    model_config = ConfigDict(extra="ignore")

    model: StrictStr | None = None
    prompt: StrictStr | list[StrictStr] | Ids | list[Ids] = ""
    echo: StrictBool = False
    logprobs: Annotated[StrictInt, Field(ge=0, le=100)] | None = None
    max_tokens: Annotated[StrictInt, Field(ge=0)] | None = None
    temperature: Annotated[float, Field(ge=0, le=100, allow_inf_nan=False)] = 1.0
    seed: StrictInt | None = None
    add_special_tokens: StrictBool = True
