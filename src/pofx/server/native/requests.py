"""The requests of the native endpoints: the options of the verbs as fields of JSON."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, StrictBool, StrictInt, StrictStr

from pofx.server.incoming.stated import Text, Texts, TokenId
from pofx.server.settings import DRAWS, TOKENS, TOP

# A seed of NumPy has any number of bits, and JSON of most clients has 53.
Seed = Annotated[StrictInt, Field(ge=0, lt=1 << 53)]
Temperature = Annotated[float, Field(strict=True, gt=0, le=1e6, allow_inf_nan=False)] | None
TopK = Annotated[StrictInt, Field(ge=1, lt=1 << 53)] | None
TopP = Annotated[float, Field(strict=True, gt=0, le=1, allow_inf_nan=False)] | None


class NativeRequest(BaseModel):
    """The fields that all native endpoints have.

    A field that no endpoint knows is refused, since an option with a typing error would silently change nothing.

    Attributes:
        model: The name of a model; null for the first one.
    """

    model_config = ConfigDict(extra="forbid")

    model: StrictStr | None = None


class ScoreRequest(NativeRequest):
    """The request of `POST /v1/score`, as `pofx score`.

    Attributes:
        texts: The texts; at most 1 MiB of UTF-8 together, prefixes included.
        given: The prefix of all texts, or a list with one prefix for each.
        boundary: How a prefix and its text join.
        prefix: Whether log P(text) is asked for, the probability that a text begins so; there is no EOS term then.
        entropy: Whether the entropy of each next-token distribution is reported.
        rank: Whether the rank of each token is reported, 1 for the likeliest.
        top: How many likeliest tokens are reported at each position.
        tokens: Whether the tokens are listed, each with its term of the sum.
    """

    texts: Texts
    given: Text | Texts = ""
    boundary: Literal["auto", "token", "exact", "error"] = "auto"
    prefix: StrictBool = False
    entropy: StrictBool = False
    rank: StrictBool = False
    top: Annotated[StrictInt, Field(ge=0, le=TOP)] = 0
    tokens: StrictBool = True


class WordsRequest(NativeRequest):
    """The request of `POST /v1/words`, as `pofx words`.

    Attributes:
        texts: The texts; at most 1 MiB of UTF-8 together, prefixes included.
        given: The prefix of all texts, or a list with one prefix for each.
        unit: words: runs without white space; graphemes: single characters, for languages without spaces.
        punctuation: Whether punctuation is part of the word that it touches, a word of its own, or a boundary.
    """

    texts: Texts
    given: Text | Texts = ""
    unit: Literal["words", "graphemes"] = "words"
    punctuation: Literal["attached", "own", "boundary"] = "attached"


class NextRequest(NativeRequest):
    """The request of `POST /v1/next`, as `pofx next`.

    Attributes:
        given: The prefix; "" for how texts begin.
        k: How many likeliest outcomes are listed.
        unit: The kind of outcome.
        calls: The most calls of the model in a search for words or characters.
        temperature: The outcomes are those of p^(1/T), renormalised token by token, and the answer then names the warp.
        top_k: Only the k likeliest tokens are kept.
        top_p: Only the fewest tokens that have this probability together are kept.
    """

    given: Text = ""
    k: Annotated[StrictInt, Field(ge=1, le=TOP)] = 10
    unit: Literal["word", "character", "byte", "token"] = "word"
    calls: Annotated[StrictInt, Field(ge=0, le=256)] = 32
    temperature: Temperature = None
    top_k: TopK = None
    top_p: TopP = None


class SampleRequest(NativeRequest):
    """The request of `POST /v1/sample`, as `pofx sample`.

    Attributes:
        n: How many draws.
        given: The prefix that the draws follow.
        boundary: exact: the first token may begin inside the prefix; token: the first token begins where the prefix ends.
        max_tokens: A draw is cut off after this many tokens; its `ended` is then false.
        seed: The same seed gives the same draws; null for a fresh one.
        temperature: Draws are from p^(1/T), renormalised token by token.
        top_k: Draws are from the k likeliest tokens only.
        top_p: Draws are from the fewest tokens that have this probability together.
        stream: Whether each draw is a server-sent event as soon as it has ended.
    """

    n: Annotated[StrictInt, Field(ge=0, le=DRAWS)] = 3
    given: Text = ""
    boundary: Literal["exact", "token"] = "exact"
    max_tokens: Annotated[StrictInt, Field(ge=1, le=TOKENS)] = 256
    seed: Seed | None = None
    temperature: Temperature = None
    top_k: TopK = None
    top_p: TopP = None
    stream: StrictBool = False


class BeginsRequest(NativeRequest):
    """The request of `POST /v1/begins`: a text after each candidate for x0.

    Attributes:
        text: The text.
    """

    text: Text


class TreeRequest(NativeRequest):
    """The request of `POST /v1/tree`: the likeliest continuations as a tree.

    Attributes:
        given: The prefix; "" for how texts begin.
        after: Ids that follow the prefix; the tree grows after them.
        k: How many likeliest tokens each node has as children.
        depth: How many tokens the longest branch has. A tree has at most 1,024 nodes with children.
    """

    given: Text = ""
    after: Annotated[list[TokenId], Field(max_length=4096)] = []
    k: Annotated[StrictInt, Field(ge=1, le=32)] = 3
    depth: Annotated[StrictInt, Field(ge=1, le=16)] = 3


class PosteriorRequest(BaseModel):
    """The request of `POST /v1/posterior`, as `pofx posterior`.

    Attributes:
        texts: The texts; at most 1 MiB of UTF-8 together.
        models: The names of at least two models; null for all models with x0 and EOS.
        weights: The prior weight of each model, in the order of `models`, in any scale; null for equal weights.
        beam: How many partial tokenisations are kept at each byte, if the vocabularies differ.
    """

    model_config = ConfigDict(extra="forbid")

    texts: Texts
    models: Annotated[list[StrictStr], Field(min_length=2, max_length=16)] | None = None
    weights: (
        Annotated[
            list[Annotated[float, Field(strict=True, ge=0, le=1e6, allow_inf_nan=False)]],
            Field(min_length=2, max_length=16),
        ]
        | None
    ) = None
    beam: Annotated[StrictInt, Field(ge=1, le=64)] = 8


class AuditRequest(NativeRequest):
    """The request of `POST /v1/audit`: the verdict that `pofx audit --pin` kept."""


class ClassifyRequest(BaseModel):
    """The request of `POST /v1/classify`, as `pofx classify predict`.

    Attributes:
        texts: The texts; at most 1 MiB of UTF-8 together.
        classifier: The name of a served classifier; null for the first one.
        prior: P(label): "empirical", "uniform", or a weight of each label, in any scale; null for the prior of the training.
        reject: Texts whose `outlier_p` is at most this share get no label; null for a label of every text.
    """

    model_config = ConfigDict(extra="forbid")

    texts: Texts
    classifier: StrictStr | None = None
    prior: (
        Literal["empirical", "uniform"]
        | Annotated[
            dict[str, Annotated[float, Field(strict=True, ge=0, le=1e6, allow_inf_nan=False)]],
            Field(min_length=1, max_length=1024),
        ]
        | None
    ) = None
    reject: Annotated[float, Field(strict=True, gt=0, lt=1, allow_inf_nan=False)] | None = None


class InfillRequest(NativeRequest):
    """The request of `POST /v1/infill`, as `pofx infill`.

    Attributes:
        given: The text before the gap; "" for a gap at the beginning of the text.
        suffix: The text after the gap.
        n: How many draws, in all runs together; at most 16,777,216 divided by the number of tokens of the vocabulary.
        boundary: exact: a token may span the beginning of the gap; token: no token does.
        open: Whether the text may go on after the suffix, so that EOS is not counted.
        max_tokens: The most tokens of a middle.
        runs: How many independent runs, which give the standard error.
        seed: The same seed gives the same answer.
    """

    given: Text = ""
    suffix: Annotated[StrictStr, Field(min_length=1, max_length=2048)]
    n: Annotated[StrictInt, Field(ge=8, le=512)] = 64
    boundary: Literal["exact", "token"] = "exact"
    open: StrictBool = False
    max_tokens: Annotated[StrictInt, Field(ge=1, le=4096)] = 64
    runs: Annotated[StrictInt, Field(ge=8, le=64)] = 8
    seed: Seed = 0
