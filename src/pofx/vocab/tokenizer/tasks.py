"""Tasks on the files of a stranger's tokenizer, run in a process of their own: opening, and rendering a chat template."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from pofx.files.isolated.child import serve

_SAMPLE = "a É 中 ﬁ\u0301\u200d\ufeff\r\n\t  <s> 12345 \U0001f469\u200d\U0001f467 ▁ \x00"


def render(request: Mapping[str, Any]) -> Callable[[], str]:
    """Return the task that renders a chat template by `transformers`, in its sandbox."""
    from transformers.utils.chat_template_utils import render_jinja_template

    def work() -> str:
        out = render_jinja_template(
            conversations=[request["messages"]],
            chat_template=request["template"],
            add_generation_prompt=True,
            **request["special"],
        )
        rendered: str = (out[0] if isinstance(out, tuple) else out)[0]
        if len(rendered) > request["most"]:
            raise ValueError(f"expected at most {request['most']:,} characters, got {len(rendered):,}")
        return rendered

    return work


def open_tokenizer(request: Mapping[str, Any]) -> Callable[[], None]:
    """Return the task that builds a vocabulary from a tokenizer.json, and encodes texts on which tokenizers often fail."""
    import tokenizers  # noqa: F401  (loaded before the limits hold)

    from pofx.errors import NotText
    from pofx.vocab.tokenizer.checkpoint_files import read_files
    from pofx.vocab.tokenizer.vocabulary import TokenizerVocab

    def work() -> None:
        tokenizer, config, name = read_files(request["folder"])
        vocab = TokenizerVocab(tokenizer, request["rows"], None, request["control"], config, name)
        for text in ("", _SAMPLE, _SAMPLE * 50, *_SAMPLE):
            try:
                vocab.encode(text)
            except NotText:
                continue

    return work


if __name__ == "__main__":
    serve({"render": render, "open": open_tokenizer})
