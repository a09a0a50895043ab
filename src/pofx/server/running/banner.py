"""The lines that a server prints when it is ready: its address, its models, and commands to ask it."""

from __future__ import annotations

import json
import shlex
from collections.abc import Iterable

from pofx.server.classifiers.served import ServedClassifier
from pofx.server.settings import Settings
from pofx.server.table import ServedModel
from pofx.server.tokens.special import begin_id

# max_length for lm-eval, where a model has no bound: eight inputs of this length fit into one request.
UNBOUNDED = 8_000


def banner(
    models: Iterable[ServedModel], settings: Settings, port: int, classifiers: Iterable[ServedClassifier] = ()
) -> str:
    """Return the lines that a server prints at its start, joined by line ends.

    Args:
        models: The models, the first of which answers requests that name none.
        settings: The address, and whether there is a key. The key itself is never shown.
        port: The port at which the server listens.
        classifiers: The classifiers.
    """
    served = list(models)
    base = address(settings, port)
    lines = [f"pofx serves at {base}", *(f"  {model_line(m)}" for m in served)]
    lines += [*(classifier_line(c) for c in classifiers), ""]
    for m in served:
        lines += [*_commands(m, base, len(served) > 1, settings.api_key is not None), ""]
    if settings.api_key is not None:
        lines += ["The commands read the key from POFX_API_KEY: export it in the shell that runs them.", ""]
    lines.append("Ctrl-C stops the server, which first answers the requests that it has accepted.")
    return "\n".join(lines)


def address(settings: Settings, port: int) -> str:
    """Return the address of the page, by which a client on this machine reaches the server."""
    return f"http://{_reached(settings.host)}:{port}"


def _commands(served: ServedModel, base: str, several: bool, keyed: bool) -> list[str]:
    """Return the commands that ask one model, with lm-eval and with curl."""
    # lm-eval names no model when it tokenises, so each of several has an address of its own.
    own = f"{base}/models/{served.name}" if several else base
    # lm-eval sends ids without x0. A model that was trained after x0 puts x0 there itself; for any other /begin does.
    begin = "/begin" if served.bare is not None and served.lm.begin.known != "none" else ""
    arguments = ",".join(
        [
            f"model={served.name}",
            f"base_url={own}{begin}/v1/completions",
            # Else lm-eval asks for the ids of a word of its own, and takes another tokenizer where the model lacks the word.
            "tokenizer_backend=remote",
            f"max_length={served.lm.context or UNBOUNDED}",
            # lm-eval takes an x0 of id 0 for none, and would put EOS before a text.
            *(["custom_prefix_token_id=0"] if begin_id(served) == 0 else []),
            *(["auth_token=$POFX_API_KEY"] if keyed else []),
        ]
    )
    key = "OPENAI_API_KEY=$POFX_API_KEY " if keyed else ""
    body = json.dumps({"model": served.name, "prompt": "Once", "echo": True, "logprobs": 1, "max_tokens": 1})
    authorization = ' -H "Authorization: Bearer $POFX_API_KEY"' if keyed else ""
    return [
        f"{key}lm_eval run --model local-completions --model_args {arguments} --tasks …",
        f"curl --json {shlex.quote(body)}{authorization} {base}/v1/completions",
    ]


def model_line(served: ServedModel) -> str:
    """Return the line of a model, which names its x0."""
    lm = served.lm
    if lm.begin.known == "assumed":
        return f"{served.name}: x0 is {lm.begin.text or lm.begin.id!r}, assumed: numbers of first tokens depend on it"
    if lm.begin.known != "none":
        return f"{served.name}: x0 is {lm.begin}"
    end = lm.vocab.end
    name = next((n for n, i in lm.vocab.control.names.items() if i == end), "</s>")
    first = (
        "lm-eval has nothing to put before a text"
        if end is None
        else f"lm-eval puts EOS ({name}) before a text that has no context, and numbers of first tokens are then assumed"
    )
    return f"{served.name}: no x0, so p(x1) is not known; {first}; --begin TOKEN names an x0"


def classifier_line(served: ServedClassifier) -> str:
    """Return the line of a classifier, with its first six labels."""
    labels = [str(label) for label in served.joint.classes]
    shown = [t if t.isprintable() else ascii(t) for t in labels[:6]]
    more = f" and {len(labels) - 6} more" if len(labels) > 6 else ""
    return f"  {served.name}: classifies texts: {', '.join(shown)}{more}"


def _reached(host: str) -> str:
    """Return the name by which a client on this machine reaches the server."""
    if host in ("0.0.0.0", "::", ""):  # noqa: S104  (shown, not bound)
        return "127.0.0.1"
    return f"[{host}]" if ":" in host else host
