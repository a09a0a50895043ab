"""The shapes of answers that other servers give, too: completions, tokens, models, health."""

from __future__ import annotations

from typing import Literal

from pofx.server.description.answer import ABSENT, Answer


class TokenLogprobs(Answer):
    """The tokens of a choice, in four lists of one length.

    Attributes:
        tokens: The text of each token; `bytes:` and escapes where it is not UTF-8.
        token_logprobs: The log-probability of each, nats; null where the token has none; −9999 for log 0.
        top_logprobs: The likeliest tokens at each position and the token itself.
        text_offset: Where each begins in `text`, code points.
    """

    tokens: list[str]
    token_logprobs: list[float | None]
    top_logprobs: list[dict[str, float] | None]
    text_offset: list[int]


class PromptLogprob(Answer):
    """A token at a position of the prompt, as vLLM has it.

    Attributes:
        logprob: Its log-probability, nats.
        rank: 1 + the number of likelier tokens.
        decoded_token: Its text.
    """

    logprob: float
    rank: int | None
    decoded_token: str


class Choice(Answer):
    """One continuation.

    Attributes:
        index: Its number.
        text: Its text, after that of the prompt where `echo` is true.
        logprobs: Its tokens, where `logprobs` is asked for.
        finish_reason: The reason why the continuation ended.
        prompt_logprobs: The tokens of the prompt by id, where `prompt_logprobs` is asked for.
        token_ids: The ids of the continuation, where `return_token_ids` is true.
        prompt_token_ids: The ids of the prompt, where `return_token_ids` is true.
    """

    index: int
    text: str
    logprobs: TokenLogprobs | None
    finish_reason: Literal["stop", "length"] | None
    prompt_logprobs: list[dict[str, PromptLogprob] | None] = ABSENT
    token_ids: list[int] = ABSENT
    prompt_token_ids: list[int] | None = ABSENT


class Usage(Answer):
    """Numbers of tokens.

    Attributes:
        prompt_tokens: The tokens of the prompts.
        completion_tokens: The tokens that were drawn.
        total_tokens: The tokens of prompts and draws together.
    """

    prompt_tokens: int
    completion_tokens: int
    total_tokens: int


class CompletionAnswer(Answer):
    """The answer of `POST /v1/completions`; with `stream` it comes in parts, each with some of the choices.

    Attributes:
        id: A name of this answer.
        object: The kind of object.
        created: When it was made, seconds since 1970.
        model: The name of the model.
        system_fingerprint: A name of the weights; null for none.
        choices: The continuations, `n` for each prompt, in the order of the prompts.
        usage: Numbers of tokens.
    """

    id: str
    object: Literal["text_completion"]
    created: int
    model: str
    system_fingerprint: str | None
    choices: list[Choice]
    usage: Usage


class CompletionChunk(Answer):
    """A part of an answer that is streamed.

    Attributes:
        id: A name of the whole answer.
        object: The kind of object.
        created: When it was made, seconds since 1970.
        model: The name of the model.
        system_fingerprint: A name of the weights; null for none.
        choices: The new part of each continuation; an empty list in the part that has `usage`.
        usage: Numbers of tokens, in the last part, where `stream_options` ask for them.
    """

    id: str
    object: Literal["text_completion"]
    created: int
    model: str
    system_fingerprint: str | None
    choices: list[Choice]
    usage: Usage = ABSENT


class TokenizeAnswer(Answer):
    """The answer of `POST /tokenize`.

    Attributes:
        tokens: The ids.
        count: The number of ids.
        max_model_len: The context of the model, tokens; null for no bound.
        token_strs: The text of each token.
    """

    tokens: list[int]
    count: int
    max_model_len: int | None
    token_strs: list[str] = ABSENT


class DetokenizeAnswer(Answer):
    """The answer of `POST /detokenize`.

    Attributes:
        prompt: The text; bytes that are not UTF-8 are U+FFFD.
        bytes: The bytes, in base64.
    """

    prompt: str
    bytes: str


class TokenizerInfo(Answer):
    """The answer of `GET /tokenizer_info`.

    Attributes:
        bos_token: The name of x0; null for none.
        eos_token: The name of EOS; null for none.
        pad_token: Always null.
        chat_template: Always null.
        bos_token_id: The id of x0; null for none.
        eos_token_id: The id of EOS; null for none.
        vocab_size: How many ids there are, x0 not counted where it is one past the last.
        max_model_len: The context of the model, tokens; null for no bound.
    """

    bos_token: str | None
    eos_token: str | None
    pad_token: None
    chat_template: None
    bos_token_id: int | None
    eos_token_id: int | None
    vocab_size: int
    max_model_len: int | None


class ServedModelInfo(Answer):
    """A model that is served.

    Attributes:
        id: Its name.
        object: The kind of object.
        created: When it was loaded, seconds since 1970.
        owned_by: Who serves it.
        max_model_len: Its context, tokens; null for no bound.
    """

    id: str
    object: Literal["model"]
    created: int
    owned_by: str
    max_model_len: int | None


class ModelsAnswer(Answer):
    """The answer of `GET /v1/models`.

    Attributes:
        object: The kind of object.
        data: The models.
    """

    object: Literal["list"]
    data: list[ServedModelInfo]


class HealthAnswer(Answer):
    """The answer of `GET /health`.

    Attributes:
        status: The process lives.
    """

    status: Literal["ok"]


class ReadyAnswer(Answer):
    """The answer of `GET /ready`.

    Attributes:
        status: All models and classifiers are ready.
        models: How far the log-probabilities of each model are from those at the start, nats.
        classifiers: How far the likelihoods and the posterior of each classifier are from those at the start, nats a token.
    """

    status: Literal["ready"]
    models: dict[str, float]
    classifiers: dict[str, float]
