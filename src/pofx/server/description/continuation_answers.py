"""The shapes of answers about what may come next: next units, trees of continuations, draws."""

from __future__ import annotations

from typing import Literal

from pofx.queries.scoring.terms import Terms
from pofx.server.description.answer import ABSENT, Answer, Bounds, MaybeImpossible, Nats


class Outcome(MaybeImpossible):
    """One outcome; the name of the unit has its text, as people read it.

    Attributes:
        id: The id of a token or byte.
        token: The token, where the unit is a token.
        byte: The byte, where the unit is a byte.
        character: The character, where the unit is a character.
        word: The word, where the unit is a word.
        bytes: The bytes of the outcome, in base64; null for a control token such as EOS.
        nats: The log-probability of the outcome, nats.
        p: The probability of the outcome.
        p_low: A lower bound of the probability.
        p_high: An upper bound of the probability.
    """

    id: int = ABSENT
    token: str = ABSENT
    byte: str = ABSENT
    character: str = ABSENT
    word: str = ABSENT
    bytes: str | None
    nats: Nats
    p: float
    p_low: float
    p_high: float


class Rest(MaybeImpossible):
    """All other outcomes together.

    Attributes:
        tokens: How many other tokens there are.
        bytes: How many other bytes there are.
        nats: Log of their mass, nats.
        p: Their mass.
        p_low: A lower bound of the mass.
        p_high: An upper bound of the mass.
        each_below: An upper bound of the probability of each single other outcome.
    """

    tokens: int = ABSENT
    bytes: int = ABSENT
    nats: Nats
    p: float
    p_low: float
    p_high: float
    each_below: float


class NextAnswer(MaybeImpossible):
    """The answer of `POST /v1/next`.

    Attributes:
        model: The name of the model.
        given: The prefix.
        warp: The change from p to q by temperature, top-k or top-p; absent without a change. The outcomes are those of q.
        unit: The kind of outcome.
        top: The likeliest outcomes, likeliest first.
        rest: All other outcomes.
        entropy_nats: The entropy of the distribution, nats; a bound where the entropy is not known.
        entropy_interval_nats: Bounds of the entropy; a null bound says nothing.
        calls: How often the model was called in a search.
        terms: What was counted, and under which rules.
    """

    model: str
    given: str
    warp: str = ABSENT
    unit: Literal["word", "character", "byte", "token"]
    top: list[Outcome]
    rest: Rest
    entropy_nats: float | None
    entropy_interval_nats: Bounds
    calls: int
    terms: Terms


class TreeNode(MaybeImpossible):
    """A node of a tree of continuations: the prefix, a path, and one token after it.

    Attributes:
        parent: The number of its parent in the list; null for the root.
        id: The id of its token; the root has none.
        token: Its token, as people read it.
        bytes: What the token spells, in base64; null for a control token such as EOS.
        nats: log p of the token after its path, nats; 0 for the root.
        path_nats: log P of all tokens from the root to the token of this node, nats.
        rest_nats: log P of the path and then any token that is no child, nats; absent where the node has no children.
        rest_tokens: How many tokens are no child of the node.
    """

    parent: int | None
    id: int = ABSENT
    token: str = ABSENT
    bytes: str | None = ABSENT
    nats: Nats
    path_nats: Nats
    rest_nats: Nats = ABSENT
    rest_tokens: int = ABSENT


class TreeAnswer(Answer):
    """The answer of `POST /v1/tree`.

    Attributes:
        model: The name of the model.
        given: The prefix.
        after: The ids between the prefix and the root.
        nodes: The root, and then each generation, the likeliest children of a node first.
        terms: What was counted, and under which rules.
    """

    model: str
    given: str
    after: list[int]
    nodes: list[TreeNode]
    terms: Terms


class Draw(MaybeImpossible):
    """One draw.

    Attributes:
        text: Its text; bytes that are not UTF-8 are escapes.
        bytes: Its bytes, in base64.
        nats: Its log-probability under the distribution drawn from, nats.
        warp: How the model was changed before the draw.
        model_nats: Its log-probability under the model without the warp, nats; null where it is not known.
        ended: Whether EOS was drawn; a draw that was cut off is a prefix.
        tokens: How many tokens it has.
        ids: Its ids, EOS not included.
        terms: What was counted, and under which rules.
    """

    text: str
    bytes: str
    nats: Nats
    warp: str = ABSENT
    model_nats: float | None = ABSENT
    ended: bool
    tokens: int
    ids: list[int]
    terms: Terms


class SampleAnswer(Answer):
    """The answer of `POST /v1/sample`.

    Attributes:
        model: The name of the model.
        draws: The draws.
    """

    model: str
    draws: list[Draw]


class SampleEvent(Answer):
    """The data of one server-sent event of `POST /v1/sample`.

    Attributes:
        model: The name of the model.
        index: The number of the draw, from 0: its place among the draws without a stream.
        draw: The draw.
    """

    model: str
    index: int
    draw: Draw
