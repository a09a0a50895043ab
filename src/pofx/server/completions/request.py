"""The request of `POST /v1/completions`."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, StrictBool, StrictInt, StrictStr, field_validator
from pydantic_core import PydanticCustomError

from pofx.server.incoming.stated import LEAST, MOST, Ids, SomeIds, SomeTexts, Text, stated
from pofx.server.settings import DRAWS, TOKENS, TOP

Stop = Annotated[StrictStr, Field(min_length=1, max_length=1000)]
MAX_TOKENS = 16  # OpenAI's default


def _or_null(schema: dict[str, Any]) -> None:
    """State in the schema that a field may be null, which stands for the default."""
    schema["anyOf"].append({"type": "null"})


class StreamOptions(BaseModel):
    """How an answer is streamed.

    Attributes:
        include_usage: Whether the last chunk has the numbers of tokens.
    """

    include_usage: StrictBool | None = None


class CompletionRequest(BaseModel):
    """OpenAI's legacy completion, and the fields of vLLM that say more of a prompt.

    A null stands for the default of a field.

    Attributes:
        model: The name of a model; None for the first one.
        prompt: A text, texts, token ids, or lists of token ids; texts of at most 1 MiB of UTF-8 together.
        echo: Whether the prompt is part of the answer, with its log-probabilities.
        logprobs: How many likeliest tokens are reported at each position; None for no log-probabilities.
        max_tokens: The most tokens to generate, EOS included; 16 by default. Those of all prompts and their copies count.
        temperature: The temperature of the draw; 0 for the likeliest token each time.
        top_p: Draws are from the fewest likeliest tokens with at least this mass; 0 for the likeliest token each time.
        top_k: How many of the likeliest tokens are drawn from; 0 or −1 for all.
        stop: A string or strings before which the text ends.
        seed: The same seed gives the same draws.
        n: How many continuations of each prompt.
        stream: Whether tokens are sent as they are drawn, as server-sent events.
        stream_options: How tokens are streamed.
        add_special_tokens: Whether a text stands after x0; ids are always taken as they are.
        prompt_logprobs: How many likeliest tokens are reported at each position of the prompt, by id, with ranks.
        return_token_ids: Whether the answer has the ids of the prompt and of the continuation.
        return_tokens_as_token_ids: Whether tokens are named "token_id:N" instead of by their text.
        user: The client's own name for its user, which is not read.
    """

    model_config = ConfigDict(extra="allow")

    model: StrictStr | None = None
    prompt: Annotated[Text | SomeTexts | Ids | SomeIds, Field(json_schema_extra=_or_null)] = ""
    echo: StrictBool | None = None
    logprobs: Annotated[StrictInt, Field(ge=0, le=TOP)] | None = None
    max_tokens: Annotated[StrictInt, Field(ge=0, le=TOKENS)] | None = None
    temperature: Annotated[float, Field(strict=True, ge=0, le=100, allow_inf_nan=False)] | None = None
    top_p: Annotated[float, Field(strict=True, ge=0, le=1, allow_inf_nan=False)] | None = None
    top_k: Annotated[StrictInt, Field(ge=-1), stated(maximum=MOST)] | None = None
    stop: Stop | Annotated[list[Stop], Field(max_length=64)] | None = None
    seed: Annotated[StrictInt, stated(minimum=LEAST, maximum=MOST)] | None = None
    n: Annotated[StrictInt, Field(ge=1, le=DRAWS)] | None = None
    stream: StrictBool | None = None
    stream_options: StreamOptions | None = None
    add_special_tokens: StrictBool | None = None
    prompt_logprobs: Annotated[StrictInt, Field(ge=0, le=TOP)] | None = None
    return_token_ids: StrictBool | None = None
    return_tokens_as_token_ids: StrictBool | None = None
    user: StrictStr | None = None

    @field_validator("prompt", mode="before")
    @classmethod
    def _one_kind(cls, value: Any) -> Any:
        """Raise one error for a value that is no prompt, and not an error for each kind of prompt."""
        if value is None:
            return ""
        items = value if isinstance(value, list) else []
        nested = bool(items) and isinstance(items[0], list)
        ids = [i for one in items for i in one] if nested and all(type(x) is list for x in items) else items
        one_kind = isinstance(value, str | list) and (
            all(type(i) is int for i in ids) or (not nested and all(type(i) is str for i in ids))
        )
        if not one_kind:
            raise PydanticCustomError(
                "prompt", "expected a text, a list of texts, a list of token ids, or a list of such lists"
            )
        return value

    @property
    def stops(self) -> tuple[str, ...]:
        """The strings before which the text ends."""
        return (self.stop,) if isinstance(self.stop, str) else tuple(self.stop or ())

    @property
    def greedy(self) -> bool:
        """Whether the likeliest token is taken each time."""
        return self.temperature == 0 or self.top_p == 0 or self.top_k == 1

    @property
    def copies(self) -> int:
        """How many continuations of each prompt."""
        return self.n or 1

    @property
    def ignored(self) -> list[str]:
        """The names of the fields that the server does not know."""
        return list(self.model_extra or {})
