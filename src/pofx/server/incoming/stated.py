"""Limits that /openapi.json states and other code checks: by bytes, by tokens, or by the numbers of the parser.

`check_texts` counts the bytes of all texts together, and `check_tokens` counts tokens. A text of more code points than these
bytes, or a list of more ids than these tokens, is always refused, so the description may say so of a field alone.
"""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import Field, StrictInt, StrictStr

from pofx.server.settings import PROMPTS, TEXT, TOKENS

# The whole numbers that the parser of JSON reads: it makes a float of any other, which no field of whole numbers takes.
LEAST, MOST = -(1 << 63), (1 << 64) - 1


def stated(**limits: Any) -> Any:
    """Return a part of a type: keywords of JSON Schema that the description states, and other code checks."""
    return Field(json_schema_extra=limits)


Text = Annotated[StrictStr, stated(maxLength=TEXT)]
TokenId = Annotated[StrictInt, stated(minimum=0)]  # the vocabulary of the model has the other bound
Ids = Annotated[list[TokenId], stated(maxItems=TOKENS)]
SomeTexts = Annotated[list[Text], stated(maxItems=PROMPTS)]
SomeIds = Annotated[list[Ids], stated(maxItems=PROMPTS)]
Texts = Annotated[list[Text], Field(min_length=1, max_length=PROMPTS)]
