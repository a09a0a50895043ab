"""Loading a model by its name: built in, saved by pofx, an ARPA file, or a pretrained checkpoint."""

from __future__ import annotations

import hashlib
import shutil
from pathlib import Path

from pofx.errors import Advice, BadSource, BadValue, PofxError
from pofx.files.cache import cache_dir, sha256
from pofx.lm.model import LM
from pofx.models.adapting import adapt as adaptive
from pofx.models.pretrained.checkpoint.stages import StageListener
from pofx.models.saving import CARD, FORMAT, is_arpa_name, read_directory, save
from pofx.models.specs import NgramSpec
from pofx.values import check_whole_number
from pofx.vocab.vocabulary import END_TEXT

BUILTIN = "builtin"


def load(
    source: str | Path,
    begin: str | int | None = None,
    end: str | int | None = None,
    dtype: str = "float32",
    *,
    context: int | None = None,
    stride: int | None = None,
    budget: int | None = None,
    pre: str | None = None,
    normalize: bool = False,
    unknown: str = "refuse",
    rope: str = "short",
    adapt: bool = False,
    progress: StageListener | None = None,
) -> LM:
    """Load a model by its name; nothing in the files of a model is ever executed.

    Args:
        source: "builtin", a name such as "smollm2" or "gemma3-270m", a directory, a .gguf or .arpa file, or a hub id
            ("organisation/name" or "organisation/name@revision"). A directory is one that `save` wrote, or a checkpoint in
            the layout of Hugging Face. A GGUF file is dequantised once, into the cache.
        begin: The token, by text or id, to take for x0, which is then *assumed*; `audit` says how good the choice is. By
            default a fitted model has the x0 of its training. A pretrained model has the x0 of a pinned audit, else the
            token that its tokenizer puts before every text, else no x0. A BOS that is only declared is no evidence.
        end: The token, by text or id, to take for EOS, in place of the EOS that a checkpoint declares, or for a fitted
            model without EOS.
        dtype: "float32"; or for the matrix products of a pretrained model "bfloat16", which is faster, and off by 0.03 nats
            a token, or "int8", which takes less memory, and whose measured error the terms state.
        context: The longest window in tokens, by default the context of the model. Longer texts are read by windows, each
            with x0 at its front (`windowed`).
        stride: How many tokens later each window begins; half of `context` by default.
        budget: How many tokens a pretrained model reads in a pass. Memory grows with the number; no result depends on it.
        pre: The rule by which the tokenizer of a GGUF file splits a text before it merges byte pairs, as llama.cpp names the
            rule ("qwen2"); only for a file that does not name the rule.
        normalize: Whether to score each text after the normalizer of a pretrained tokenizer has changed the text (NFKC,
            lower case), as the terms then say. By default a text that the normalizer would change is refused.
        unknown: How an ARPA file treats a word that the file does not have: "refuse", or "class" (`read_arpa`).
        rope: The rotary factors of a model with LongRoPE. "short" ends the context at the original length; "long" takes
            the factors of longer texts for texts of all lengths. Either way every text has one distribution.
        adapt: Whether a mixing model goes on learning along each text (`adapt`).
        progress: A function that is called with a stage and the fraction of the stage that is done.

    Returns:
        The model, whose `begin` says how x0 is known.

    Raises:
        BadSource: The name, file or directory holds no readable model.
        BadValue: An argument is outside its domain, or would replace the x0 or EOS that a fitted model was trained with.

    Right: `pofx.load("smollm2", begin="<|endoftext|>")`. Wrong: `pofx.load("model", begin="<|endoftext|>")`, where the model
    was fitted with "<s>" as x0.
    """
    if dtype not in ("float32", "bfloat16", "int8"):
        raise BadValue(
            f"expected 'float32', 'bfloat16' or 'int8', got {dtype!r}",
            "write 'float32', 'bfloat16' or 'int8'",
            argument="dtype",
        )
    context = None if context is None else check_whole_number("context", context, 2)
    stride = None if stride is None else check_whole_number("stride", stride, 1)
    budget = None if budget is None else check_whole_number("budget", budget, 1)
    for name, token in (("begin", begin), ("end", end)):
        if token is not None and not isinstance(token, str):
            check_whole_number(name, token, advice="name a token by its text or its id")
    lm = _fitted(source, unknown)
    if adapt:
        if lm is None:
            raise BadValue(
                f"expected a mixing model, got {source}, a pretrained model",
                "leave the option out",
                argument="adapt",
            )
        lm = adaptive(lm)
    if lm is None:
        return _pretrained(source, begin, end, dtype, context, stride, budget, pre, normalize, rope, progress)
    if dtype != "float32":
        raise BadValue(
            f"expected 'float32', got {dtype!r}",
            "leave the dtype out, since a fitted model has a fixed dtype",
            argument="dtype",
        )
    if budget is not None:
        raise BadValue(
            "expected a pretrained model, got another model", "leave the budget out", argument="budget"
        )
    if pre is not None:
        raise BadValue(
            f"expected a GGUF file, got {source}, which has its own vocabulary",
            "leave the option out",
            argument="pre",
        )
    if normalize:
        raise BadValue(
            f"expected a pretrained model, got {source}, which reads texts as they are",
            "leave the option out",
            argument="normalize",
        )
    if rope != "short":
        raise BadValue(
            f"expected 'short' for a model that pofx fitted, got {rope!r:.40}",
            Advice("leave the option out", "", "--rope"),
            argument="rope",
        )
    known = lm.begin.known != "none"
    if begin is not None and not (known and begin in (lm.begin.text, lm.begin.id)):
        from pofx.transforms.with_begin import with_begin

        lm = with_begin(lm, begin)
    if end is not None and not (lm.vocab.end is not None and end in (END_TEXT, lm.vocab.end)):
        from pofx.transforms.with_end import with_end

        lm = with_end(lm, end)
    if context is None and stride is None:
        return lm
    from pofx.transforms.windowed import windowed

    return windowed(lm, context, stride)


def _fitted(source: str | Path, unknown: str) -> LM | None:
    """Return a model that pofx fitted or an ARPA file, or None where the name is the name of a pretrained model."""
    from pofx.models.ngram.arpa import check_unknown, read_arpa
    from pofx.models.ngram.arpa_text import holds_arpa

    check_unknown(unknown)
    path = Path(source)
    try:
        ours = str(source) == BUILTIN or (path / CARD).exists()
        arpa = (
            not ours and not path.is_dir() and (is_arpa_name(path) or (path.is_file() and holds_arpa(path)))
        )
    except OSError as e:
        raise BadSource(
            f"{source}: expected the name of a model, got: {e.strerror or e}",
            "check the name and its permissions",
        ) from None
    if arpa:
        return read_arpa(path, unknown=unknown).with_info(fingerprint=sha256(path))
    if unknown != "refuse":
        raise BadValue(
            f"expected a model of words, an ARPA file, got another model ({source})",
            "leave the option out, since the model spells every word, or refuses a word by name",
            argument="unknown",
        )
    if not ours:
        return None
    return _builtin() if str(source) == BUILTIN else read_directory(path)


def _pretrained(
    source: str | Path,
    begin: str | int | None,
    end: str | int | None,
    dtype: str,
    context: int | None,
    stride: int | None,
    budget: int | None,
    pre: str | None,
    normalize: bool,
    rope: str,
    progress: StageListener | None,
) -> LM:
    """Return a pretrained checkpoint, with the x0 for which there is evidence, and a window rule for long texts."""
    from pofx.models.pretrained.checkpoint.rules import check_checkpoint
    from pofx.models.pretrained.checkpoint.source import find_checkpoint

    report: StageListener = progress or (lambda stage, fraction: None)
    checkpoint = check_checkpoint(find_checkpoint(source, report, pre))
    from pofx.files.pins import find_pin
    from pofx.models.begin_evidence import begin_evidence
    from pofx.models.pretrained.files import distribution_fingerprint, read_pretrained
    from pofx.models.pretrained.inference.context_length import has_long_factors
    from pofx.transforms.windowed import windowed
    from pofx.transforms.with_begin import with_begin
    from pofx.vocab.tokenizer.vocabulary import TokenizerVocab

    pin = find_pin(distribution_fingerprint(checkpoint, rope))
    if end is None and pin is not None:
        end = pin.end
    core = read_pretrained(checkpoint, end, dtype, budget, report, rope)
    if normalize:
        assert isinstance(core.vocab, TokenizerVocab)  # noqa: S101  (ours: a checkpoint has a tokenizer.json)
        core = core.with_info(vocab=core.vocab.normalizing())
    too_long = context is not None and core.context is not None and context > core.context
    if too_long and rope == "short" and has_long_factors(checkpoint.config):
        raise BadValue(
            f"expected at most the {core.context:,} tokens up to which the model has one distribution, got "
            f"{context:,}",
            [
                "leave the context out",
                Advice("take the factors of longer texts for all texts", "rope='long'", "--rope long"),
            ],
            argument="context",
        )
    found = begin_evidence(core.vocab, pin, begin, str(source))
    if found.known == "none":
        lm: LM = core.with_info(begin=found)
    else:
        assert found.id is not None  # noqa: S101  (ours: an x0 that is known has an id)
        lm = with_begin(core, found.id, found.known)
    return windowed(lm, context, stride)


def _builtin() -> LM:
    """Return the n-gram of the built-in documents: from the cache, or fitted in about a second and then cached."""
    from pofx.corpus.builtin import builtin_documents
    from pofx.models.fitting import fit
    from pofx.version import __version__

    documents = builtin_documents()
    digest = hashlib.blake2b("\0".join(documents).encode("utf-8"), digest_size=8).hexdigest()
    home = cache_dir() / f"builtin-{__version__}-{FORMAT}-{digest}"
    try:
        return read_directory(home)
    except PofxError:
        lm = fit(documents, NgramSpec())
    try:
        if home.is_dir():
            shutil.rmtree(home)
        else:
            home.unlink(missing_ok=True)
        save(lm, home)
        return read_directory(home)  # with its fingerprint, as in every later call
    except (PofxError, OSError):
        return lm  # without the cache each call takes a second longer
