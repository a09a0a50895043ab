"""A conversation as a prefix of ids, some of which no text spells."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from pofx.errors import Advice, BadValue
from pofx.lm.model import LM
from pofx.transforms.given import Prefix

MOST_MESSAGES = 10_000


def chat(lm: LM, messages: Sequence[Mapping[str, Any]]) -> Prefix:
    """Write a conversation by the model's own chat template, up to the place of the model's answer.

    Control tokens that the template writes become control tokens; names of control tokens in a message are text. An x0 of
    the model stands before the conversation once, whether or not the template writes x0. `transformers` renders the
    template in a process of its own, in a sandbox, with limits on time, memory and length.

    Args:
        lm: A model whose tokenizer has a chat template.
        messages: Objects such as `{"role": "user", "content": "Hello"}`, in order.

    Returns:
        A prefix, for the argument `given` of `score`, `sample`, `next` and other queries.

    Raises:
        BadValue: The model has no template, or its template refuses the messages.

    Right: `log_prob(lm, "Paris.", given=chat(lm, [{"role": "user", "content": "The capital of France?"}]))`.
    Wrong: `given="<|im_start|>user…"`, which is text, and has the ids of other tokens.
    """
    if isinstance(messages, Mapping | str | bytes) or not all(isinstance(m, Mapping) for m in messages):
        raise BadValue(
            "expected a list of objects with a role and a content, got another value",
            'write [{"role": "user", "content": "…"}]',
            argument="messages",
        )
    if not 0 < len(messages) <= MOST_MESSAGES:
        then = "write at least one message" if not messages else "leave out the first messages"
        raise BadValue(
            f"expected 1 to {MOST_MESSAGES:,} messages, got {len(messages):,}", then, argument="messages"
        )
    rendered = lm.vocab.conversation(messages)
    if rendered is None:
        raise BadValue(
            "expected a model with a chat template, got a model without a chat template",
            Advice("condition on a text instead", "given=…", "--given"),
            argument="chat",
        )
    ids, text = rendered
    if ids and ids[0] == lm.begin.id:
        ids = ids[1:]
    if not ids:
        raise BadValue(
            f"expected a conversation of some tokens, got {text!r:.60}",
            "add a message",
            argument="messages",
        )
    return Prefix(tuple(ids), text)
