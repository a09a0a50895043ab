"""A conversation as what texts are conditioned on: a prefix of ids, some of which no text spells."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from pofx.errors import Advice, BadValue
from pofx.lm.model import LM
from pofx.transforms.prefix_ids import Prefix

MOST = 10_000


def chat(lm: LM, messages: Sequence[Mapping[str, Any]]) -> Prefix:
    """A conversation by the model's own chat template, up to where the model is to answer, for `given=`.

    messages: such as `{"role": "user", "content": "Hello"}`, in order. Control tokens that the template writes are such;
    their names in a message are text. An x0 of the model stands before the conversation once, whether the template writes
    it or not.

    `BadValue` for a model without a template, and for messages that its template refuses. The template is rendered by
    `transformers` in a process of its own, in a sandbox, with limits on time, memory and length.

    Right: `log_prob(lm, "Paris.", given=chat(lm, [{"role": "user", "content": "The capital of France?"}]))`.
    Wrong: `given="<|im_start|>user…"`, which is text, of other tokens.
    """
    if isinstance(messages, Mapping | str | bytes) or not all(isinstance(m, Mapping) for m in messages):
        raise BadValue(
            "messages: expected a list of objects with a role and a content, found another value",
            'write [{"role": "user", "content": "…"}]',
        )
    if not 0 < len(messages) <= MOST:
        then = "write at least one" if not messages else "leave out the first ones"
        raise BadValue(f"messages: expected 1 to {MOST:,} of them, found {len(messages):,}", then)
    found = lm.vocab.conversation(messages)
    if found is None:
        raise BadValue(
            "chat: expected a model with a chat template, found one without",
            Advice("condition on a text instead", "given=…", "--given"),
        )
    ids, text = found
    if ids and ids[0] == lm.begin.id:
        ids = ids[1:]
    if not ids:
        raise BadValue(
            f"messages: expected a conversation of some tokens, found {text!r:.60}", "add a message"
        )
    return Prefix(tuple(ids), text)
