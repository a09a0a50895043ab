"""Fitted models on disk: a directory of JSON and safetensors that other tools can open, and never pickle."""

from __future__ import annotations

import json
import os
import shutil
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pofx.errors import BadSource, BadValue
from pofx.files.directory import (
    MOST_CARD,
    card_seal,
    check_output_directory,
    content_sha256,
    file_sha256,
    is_large,
    replaced_output,
)
from pofx.files.json_file import read_object
from pofx.files.urls import check_local
from pofx.lm.fitted_documents import FittedDocuments
from pofx.lm.model import LM
from pofx.models.fitted_file import read_record, write_record
from pofx.models.specs import NgramSpec
from pofx.vocab.vocabulary import Vocab

if TYPE_CHECKING:
    from pofx.models.ngram.external.fit import ExternalFit, Unit
    from pofx.models.ngram.quantized import Quantization

FORMAT = 1
CARD = "pofx.json"
RECORD = "fitted.safetensors"  # hashes of the documents; a model without this file is read as before
# A card must have the hash of each of these files, or a damaged file would pass unnoticed.
HASHED = ("config.json", "model.safetensors", "tokenizer.json")


def save(lm: LM, directory: str | Path) -> None:
    """Write a fitted model to a directory that `load` and other tools can read.

    The directory holds config.json, model.safetensors, tokenizer.json, and pofx.json with the hash of each file. It
    appears in one step, and replaces an older model of pofx. In the files x0 is "<s>" and EOS is "</s>"; x0 never has
    id 0. No file is a pickle.

    Args:
        lm: A model that `fit` returned, or `load` read from such a directory.
        directory: The directory to write. A name that ends in .arpa or .arpa.gz makes an ARPA file instead, for an n-gram
            over bytes or words; `write_arpa` and `read_arpa` do so for other vocabularies.

    Raises:
        BadSource: The directory cannot be written, or holds anything but a model of pofx.
        BadValue: The LM is no fitted model, such as a mixture, whose parts can be saved one by one.

    Right: `pofx.save(pofx.fit(texts), "model")`. Wrong: `pofx.save(pofx.given(lm, "x"), "model")`, since no file holds a
    transform; save `lm`, and apply `given` after loading.
    """
    check_target(directory)
    if is_arpa_name(directory):
        _save_arpa(lm, Path(directory))
        return
    with replaced_output(directory, "model") as part:
        write_model(lm, part)


def write_model(lm: LM, directory: Path) -> None:
    """Write the files of a fitted model into an empty directory, which is made if need be.

    Args:
        lm: A fitted n-gram, mixing model or transformer.
        directory: The directory, which may be part of a larger directory that appears in one step.

    Raises:
        BadValue: The LM is no fitted model.
        OSError: The place cannot be written, or the disk is full.
    """
    family, write, extra = _writer(lm)
    directory.mkdir(exist_ok=True)
    write(directory)
    # A model of one family has one record.
    record = lm.fitted[0] if lm.fitted else None
    write_around(directory, family, lm.vocab, lm.begin.known != "none", str(lm.window), record, extra)


def write_around(
    directory: Path,
    family: str,
    vocab: Vocab,
    begin: bool,
    window: str,
    record: FittedDocuments | None,
    extra: Mapping[str, Any],
) -> None:
    """Write the files of a model that are the same for all families: the tokenizer, the record, and last the card.

    Args:
        directory: The directory, which has config.json and model.safetensors.
        family: The name of the family in the card.
        vocab: The vocabulary.
        begin: Whether the model was fitted with x0.
        window: What the window rule says of itself.
        record: The hashes of the documents; None where no record was made.
        extra: Further fields of the card.

    Raises:
        OSError: The place cannot be written, or the disk is full.
    """
    from pofx.vocab.tokenizer.files.saved_vocab import write_tokenizer

    write_tokenizer(vocab, directory, begin)
    if record is not None:
        write_record(record, directory / RECORD)
    card = {
        "format": FORMAT,
        "family": family,
        "begin": begin,
        "end": vocab.end is not None,
        "window": window,
        "sha256": {p.name: file_sha256(p) for p in sorted(directory.iterdir())},
        **extra,
    }
    (directory / CARD).write_text(json.dumps({**card, "seal": card_seal(card)}, indent=2) + "\n")
    # The safetensors library lets nobody but the owner read; the card has the mode that the user's umask asks for.
    for file in directory.iterdir():
        file.chmod((directory / CARD).stat().st_mode)


def fit_and_save(
    units: Sequence[Unit], spec: NgramSpec, vocab: Vocab, directory: str | Path, memory: int, workers: int = 1
) -> ExternalFit:
    """Fit an n-gram in bounded memory and save it, with the bytes that `save` writes after `fit`.

    The counts lie in a hidden directory beside the model, which is removed at the end, and by the next fit where a fit was
    killed.

    Args:
        units: The documents in parts, each a function that returns its documents. Several workers pickle the parts.
        spec: The spec.
        vocab: The vocabulary, which `spec.vocab` names.
        directory: The directory of the model.
        memory: About how many bytes all processes may take together.
        workers: How many processes count.

    Raises:
        BadSource: There are no documents, the directory cannot be written, or the disk is full.
    """
    from pofx.models.ngram.external.fit import fit_to_files
    from pofx.models.ngram.files import quantize_files
    from pofx.models.ngram.model import window_of

    check_target(directory)
    target = Path(directory).resolve()
    scratch = target.with_name(f".{target.name}.counts")
    shutil.rmtree(scratch, ignore_errors=True)
    try:
        with replaced_output(directory, "model") as part:
            scratch.mkdir()
            done = fit_to_files(units, spec, vocab, part, scratch, memory, workers)
            shutil.rmtree(scratch, ignore_errors=True)
            told = _told(None if spec.quantize is None else quantize_files(part, spec, vocab))
            write_around(part, "ngram", vocab, spec.begin, str(window_of(spec.bound)), done.record, told)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
    return done


def is_arpa_name(name: str | Path) -> bool:
    """Return whether a name is the name of an ARPA file, by its ending."""
    return str(name).lower().endswith((".arpa", ".arpa.gz"))


def _save_arpa(lm: LM, path: Path) -> None:
    from pofx.models.ngram.arpa import write_arpa
    from pofx.models.ngram.model import NgramLM
    from pofx.vocab.vocabulary import ByteVocab
    from pofx.vocab.words import WordVocab

    if not isinstance(lm, NgramLM) or not isinstance(lm.vocab, ByteVocab | WordVocab):
        raise BadValue(
            f"{path}: expected an n-gram over bytes or words, whose tokens an ARPA file spells in full, got "
            f"{type(lm).__name__} over {type(lm.vocab).__name__}",
            "save a directory, or see write_arpa",
        )
    try:
        write_arpa(lm, path)
    except OSError as e:
        raise BadSource(
            f"{path}: expected a place to write, got: {e.strerror or e}", "choose another path"
        ) from None


def check_target(directory: str | Path) -> None:
    """Refuse, before any work is done, to write a model to a URL, or over a file or directory that is no model."""
    check_local(directory)
    if not is_arpa_name(directory):
        check_output_directory(directory, CARD, "model")
    elif os.path.isdir(directory):
        raise BadSource(f"{directory}: expected a file to write, got a directory", "choose another path")


def _writer(lm: LM) -> tuple[str, Callable[[Path], None], dict[str, Any]]:
    from pofx.models.ngram.model import NgramLM
    from pofx.models.ngram.unbounded import files as unbounded_files
    from pofx.models.ngram.unbounded.model import UnboundedLM

    if isinstance(lm, NgramLM):
        from pofx.models.ngram import files as ngram_files

        return "ngram", lambda part: ngram_files.to_files(lm, part), _told(lm.levels.quantization)
    if isinstance(lm, UnboundedLM):
        return "ngram-unbounded", lambda part: unbounded_files.to_files(lm, part), {}
    # A model of these families exists only where its module is loaded, so this test loads neither numba nor torch.
    mixing = sys.modules.get("pofx.models.mixing.model")
    if mixing is not None and isinstance(lm, mixing.MixingLM):
        from pofx.models.mixing import files as mixing_files

        return "mixing", lambda part: mixing_files.to_files(lm, part), {}
    transformer = sys.modules.get("pofx.models.transformer.model")
    if transformer is not None and isinstance(lm, transformer.TransformerLM):
        from pofx.models.transformer import files as transformer_files

        return "transformer", lambda part: transformer_files.to_files(lm, part), {"overlap": lm.overlap}
    raise BadValue(
        f"expected a fitted n-gram, mixing model or transformer to save, got {type(lm).__name__}",
        "save the models inside the transform, and apply the transform again after loading",
    )


def _told(quantization: Quantization | None) -> dict[str, Any]:
    return {} if quantization is None else {"quantization": asdict(quantization)}


def read_card(directory: Path) -> dict[str, Any]:
    """Return the checked content of pofx.json in a model directory."""
    if not (directory / CARD).is_file():
        raise BadSource(
            f"{directory}: expected a model directory with {CARD}, got a directory without {CARD}",
            "fit a model with: pofx fit FILE -o model",
        )
    card = read_object(directory / CARD, MOST_CARD, advice="copy or fit it again", infinite=True)
    if card.get("format") != FORMAT:
        raise BadSource(
            f"{directory / CARD}: expected format {FORMAT}, got {card.get('format')!r:.40}",
            "read the model with the version of pofx that wrote it",
        )
    sums, seal = card.get("sha256"), card.pop("seal", None)
    if not isinstance(sums, dict) or not all(name in sums for name in HASHED) or seal != card_seal(card):
        raise BadSource(
            f"{directory / CARD}: expected the file as pofx wrote it, got a changed file",
            "copy or fit it again",
        )
    return card


def read_directory(directory: Path) -> LM:
    """Return the model of a directory that `save` wrote, checked against its card."""
    card = read_card(directory)
    for name, expected in card["sha256"].items():
        file = directory / Path(name).name
        if not file.is_file():
            raise BadSource(f"{file}: expected this file of the model, got none", "copy the whole directory")
        if content_sha256(file) != expected:
            raise BadSource(
                f"{file}: expected content with the hash in {CARD}, got other content",
                "copy or fit it again",
            )
    # The record of documents decides no number, so the fingerprint does not depend on the record.
    own = card_seal({name: h for name, h in card["sha256"].items() if name != RECORD})
    fitted = (read_record(directory / RECORD),) if RECORD in card["sha256"] else ()
    return _of_family(directory, card, own).with_info(fingerprint=own, fitted=fitted)


def _of_family(directory: Path, card: dict[str, Any], content: str) -> LM:
    from pofx.vocab.tokenizer.files.saved_vocab import read_saved_vocab

    vocab = read_saved_vocab(directory)
    config = read_object(directory / "config.json", MOST_CARD, advice="copy or fit it again", infinite=True)
    begin = card.get("begin") is True
    if card.get("family") == "ngram":
        from pofx.models.ngram import files as ngram_files

        large = is_large(directory / "model.safetensors")
        return ngram_files.from_files(directory, config, vocab, begin, content if large else None)
    if card.get("family") == "ngram-unbounded":
        from pofx.models.ngram.unbounded import files as unbounded_files

        return unbounded_files.from_files(directory, config, vocab, begin)
    if card.get("family") == "mixing":
        from pofx.errors import require

        require("numba", "compress", "a mixing model")
        from pofx.models.mixing import files as mixing_files

        return mixing_files.from_files(directory, config, vocab, begin)
    if card.get("family") == "transformer":
        from pofx.models.transformer import files as transformer_files

        overlap = card.get("overlap")
        if type(overlap) is not int:
            raise BadSource(
                f"{directory / CARD}: expected the overlap of windows, got {overlap!r}",
                "copy the model again",
            )
        return transformer_files.from_files(directory, vocab, begin, overlap)
    raise BadSource(
        f"{directory / CARD}: expected family 'ngram', 'ngram-unbounded', 'mixing' or 'transformer', got "
        f"{card.get('family')!r}",
        "load the model with the version of pofx that saved it",
    )
