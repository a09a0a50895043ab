"""The abilities of a server, which a few requests discover before the checks."""

from __future__ import annotations

from dataclasses import replace
from typing import Any
from urllib.parse import quote

from pofx.errors import BadSource, PofxError
from pofx.lm.model import LM
from pofx.models.outside.http_client import ServerClient
from pofx.server_check.finding import Broken, quoted
from pofx.server_check.probe import Abilities, Probe, Prompt, ids_in, patient

# English sentences, and then letters alone, for models of few characters.
_TEXTS = (
    "The cat sat on the mat. It was warm, and the sun went down.",
    "the cat sat on the mat",
    "abcabcaabbccabcab",
    "abbaabababbbaaba",
    "ab aba",
)
_MULTIBYTE = ("Ça coûte 5 € — 猫 and 🐈🐈, naïve.", "é€猫🐈é€猫🐈")
# Most servers limit `logprobs`: vLLM to 20, OpenAI to 5.
_ROWS = (1000, 100, 20, 5, 2)
# Without a tokenizer the texts of ids are not known, but the arrays of any ids can be counted.
_UNKNOWN_IDS = tuple(range(40, 60))
_FEW_IDS = (0, 1, 0, 0, 1, 1, 0, 1)


def discover(client: ServerClient, model: str | None, reference: LM | None) -> Probe:
    """Find the abilities of a server.

    Args:
        client: The client of the server.
        model: The name of the model; None for the first one that the server lists.
        reference: A model whose tokenizer may stand in for a missing one; None for none.

    Returns:
        A probe that knows the server's abilities.

    Raises:
        BadSource: The server cannot be reached, wants a key, or answers no completion at all.
    """
    model = model if model is not None else _first_model(client)
    probe = Probe(client, model, Abilities({}, _TEXTS[0]), reference)
    probe = _with(probe, text=_text(probe))
    missing: dict[str, str] = {}
    echo = probe.ask(
        {"prompt": probe.can.text, "max_tokens": 1, "temperature": 0, "echo": True, "logprobs": 1}
    )
    if not echo.ok:
        missing["echo"] = "the server refuses echo with logprobs"
    probe = _with(probe, tokenizer=_tokenizer(probe), missing=missing)
    if not probe.can.tokenizer:
        missing["tokenizer"] = "there is no /tokenize"
    probe = _with_special(probe, missing)
    probe = _with_ids(probe, missing)
    multibyte = next((t for t in _MULTIBYTE if _reads(probe, t)), "")
    if not multibyte:
        missing["multibyte"] = "the server refuses texts beyond ASCII"
    if reference is None:
        missing["reference"] = "no --reference was given"
    return _with(probe, multibyte=multibyte, rows=_most_rows(probe), missing=missing)


def _with(probe: Probe, **changes: Any) -> Probe:
    return replace(probe, can=replace(probe.can, **changes))


def _first_model(client: ServerClient) -> str | None:
    answer = patient(client, "GET", "/v1/models")
    if answer.status in (401, 403):
        client.get("/v1/models")  # raises the error that names the key
    listed = answer.json.get("data") if isinstance(answer.json, dict) else None
    first = (
        listed[0].get("id") if isinstance(listed, list) and listed and isinstance(listed[0], dict) else None
    )
    return first if isinstance(first, str) else None


def _text(probe: Probe) -> str:
    """Return a text that the server reads."""
    for text in _TEXTS:
        if _reads(probe, text):
            return text
    prompts: tuple[Any, ...] = ("", [[]], [[0]], [[1]])
    for prompt in prompts:
        drawn = max((_drawn(probe, prompt, seed) for seed in range(6)), key=len)
        if len(drawn) > 8 and _reads(probe, drawn):
            return drawn
    answer = probe.ask({"prompt": _TEXTS[0], "max_tokens": 1})
    raise BadSource(
        f"{probe.client.address}/v1/completions: expected an answer to {quoted(_TEXTS[0], 20)}, got HTTP status "
        f"{answer.status}: {answer.said}",
        "check the address, the key (api_key) and the name of the model",
    )


def _drawn(probe: Probe, prompt: Any, seed: int) -> str:
    """Return a text that the model writes, and so must be able to read; "" where the model writes no text.

    A model of few words cannot read the texts of this module.
    """
    answer = probe.ask({"prompt": prompt, "max_tokens": 24, "temperature": 1, "seed": seed})
    choices = answer.json.get("choices") if answer.ok and isinstance(answer.json, dict) else None
    first = choices[0] if isinstance(choices, list) and choices else None
    text = first.get("text") if isinstance(first, dict) else None
    return text.strip() if isinstance(text, str) else ""


def _reads(probe: Probe, prompt: Prompt) -> bool:
    sent = prompt if isinstance(prompt, str) else [list(prompt)]
    return probe.ask({"prompt": sent, "max_tokens": 1, "temperature": 0}).ok


def _tokenizer(probe: Probe) -> str:
    for shape in ("prompt", "content"):
        answer = probe.ask({shape: probe.can.text}, "/tokenize")
        if answer.ok and ids_in(answer):
            return shape
    return ""


def _with_special(probe: Probe, missing: dict[str, str]) -> Probe:
    """Return the probe with the advertised special tokens, the id of BOS, and the longest prompt."""
    named = "" if probe.model is None else f"?model={quote(probe.model, safe='')}"
    answer = patient(probe.client, "GET", f"/tokenizer_info{named}")
    special = answer.json if answer.ok and isinstance(answer.json, dict) else {}
    if not special:
        missing["special"] = "there is no /tokenizer_info"
    limit = None
    if probe.can.tokenizer:
        answer = probe.ask({probe.can.tokenizer: probe.can.text}, "/tokenize")
        told = answer.json.get("max_model_len") if isinstance(answer.json, dict) else None
        limit = told if isinstance(told, int) and told > 0 else None
    begin, end = (_special_id(probe, special.get(name)) for name in ("bos_token", "eos_token"))
    return _with(probe, special=special, begin=begin, end=end, limit=limit)


def _special_id(probe: Probe, name: Any) -> int | None:
    """Return the id of a special token by its name; None where the token has no name, or the name has no id."""
    if not probe.can.tokenizer or not isinstance(name, str) or not name:
        return None
    try:
        ids = probe.tokenize(name)
    except Broken:
        return None
    return ids[0] if len(ids) == 1 else None


def _with_ids(probe: Probe, missing: dict[str, str]) -> Probe:
    """Return the probe with ids that the server reads, if the server reads ids."""
    ids = _ids_of_text(probe)
    if ids and _reads(probe, tuple(ids)):
        begin = probe.can.begin
        if begin is None and (opened := _prompt_ids(probe, special=True))[1:] == ids:
            begin = opened[0]
        return _with(probe, ids=tuple(ids), learned=True, begin=begin)
    for unknown in (_UNKNOWN_IDS, _FEW_IDS):
        if _reads(probe, unknown):
            missing.setdefault("learned", "the server does not say which ids a text has")
            return _with(probe, ids=unknown)
    refused = probe.ask({"prompt": [list(_FEW_IDS)], "max_tokens": 1})
    missing["ids"] = missing["learned"] = (
        f"the server refuses ids (status {refused.status}: {refused.said:.60})"
    )
    return probe


def _ids_of_text(probe: Probe) -> list[int]:
    """Return the ids of the text: by the server's tokenizer, by its answer, or by the tokenizer of the reference."""
    if probe.can.tokenizer:
        try:
            return probe.tokenize(probe.can.text)
        except Broken:
            return []
    if found := _prompt_ids(probe, special=False):
        return found
    if probe.reference is not None:
        try:
            return probe.reference.vocab.encode(probe.can.text)
        except PofxError:
            return []
    return []


def _prompt_ids(probe: Probe, *, special: bool) -> list[int]:
    """Return the ids of the text in an answer, with or without BOS before them; empty where the answer has no ids."""
    asked = {
        "prompt": probe.can.text,
        "max_tokens": 1,
        "return_token_ids": True,
        "add_special_tokens": special,
    }
    answer = probe.ask(asked)
    try:
        found = answer.json["choices"][0]["prompt_token_ids"]
    except (TypeError, KeyError, IndexError):
        return []
    return found if isinstance(found, list) and all(isinstance(i, int) for i in found) else []


def _most_rows(probe: Probe) -> int:
    """Return the largest of a few values of `logprobs` that the server takes."""
    for k in _ROWS:
        if probe.ask({"prompt": probe.can.text, "max_tokens": 1, "temperature": 0, "logprobs": k}).ok:
            return k
    return 1
