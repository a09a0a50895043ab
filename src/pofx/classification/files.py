"""A fitted classifier on disk, without pickle: classifier.json beside a directory for each model, as `save` writes it."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from pofx.classification.families import Length, assemble_class_models, split_class_model
from pofx.classification.joint import Joint
from pofx.classification.outliers import Rejection
from pofx.classification.priors import Prior
from pofx.errors import Advice, BadSource, BadValue, PofxError
from pofx.files.directory import MOST_CARD, card_seal, check_output_directory, file_sha256, replaced_output
from pofx.files.json_file import read_object
from pofx.lm.model import LM
from pofx.models.fitting import VocabSpec
from pofx.models.saving import read_directory, write_model
from pofx.models.specs import NgramSpec, TransformerSpec
from pofx.vocab.vocabulary import refuse_normalizing, to_bytes

CARD = "classifier.json"
BACKGROUND = "background"
FORMAT = 1
# The types of labels in classifier.json; `.item()` turns labels of numpy into these types.
LABELS: dict[str, type] = {"str": str, "int": int, "float": float, "bool": bool}
SPECS: dict[str, type[NgramSpec] | type[TransformerSpec]] = {
    "ngram": NgramSpec,
    "transformer": TransformerSpec,
}


@dataclass(frozen=True)
class ClassifierSettings:
    """The settings of the fit of a joint distribution.

    Attributes:
        spec: The specification of the models; None for a model that the caller passed.
        prior: The prior.
        length: "own" or "shared".
        em: The most steps of EM.
        background: The weight of the background model.
    """

    spec: VocabSpec | None
    prior: Prior = "empirical"
    length: Length = "own"
    em: int = 0
    background: float = 0.0


def save_joint(
    joint: Joint, settings: ClassifierSettings, rejection: Rejection | None, directory: str | Path
) -> None:
    """Write a classifier as a directory, in one step.

    An older classifier there is replaced; another directory is not. A model that did not come from `fit`, such as a
    pretrained model, is not copied: the card has its fingerprint, and `load_joint` needs the model again.

    Args:
        joint: The joint distribution.
        settings: The settings of its fit.
        rejection: The reference of outliers, or None.
        directory: The directory to write.

    Raises:
        BadValue: The labels are no strings, numbers or booleans.
    """
    check_target(directory)
    own = list(joint.lms)
    stop: float | None = None
    pooled: LM | None = None
    outside = joint.given is not None and not is_savable(own[0])
    if joint.given is None:
        _, stop, pooled = split_class_model(own[0])
        own = [split_class_model(lm)[0] for lm in own]
    card: dict[str, Any] = {
        "format": FORMAT,
        "classes": _labels_to_json(joint.classes),
        "count": joint.count.tolist(),
        "log_prior": [None if np.isneginf(p) else float(p) for p in joint.log_prior],
        "given": None if joint.given is None else [_text_to_json(g) for g in joint.given],
        "spec": _spec_to_json(settings.spec),
        "prior": _prior_to_json(settings.prior, joint),
        "length": settings.length,
        "em": settings.em,
        "power": joint.power,
        "background": settings.background,
        "stop": stop,
        "models": 0 if outside else len(joint.lms),
        "fingerprint": joint.lms[0].fingerprint if outside else None,
        "rejection": None
        if rejection is None
        else {
            "per": rejection.per,
            "held_out": [None if np.isneginf(v) else float(v) for v in rejection.held_out],
        },
    }
    with replaced_output(directory, "classifier") as part:
        for i, lm in enumerate([] if outside else own):
            write_model(lm, part / f"{i:04d}")
        if pooled is not None:
            write_model(pooled, part / BACKGROUND)
        card["sha256"] = {p.name: file_sha256(p / "pofx.json") for p in sorted(part.iterdir())}
        text = json.dumps({**card, "seal": card_seal(card)}) + "\n"
        if len(text) > MOST_CARD:
            raise BadValue(
                f"expected labels and prefixes that take at most {MOST_CARD:,} bytes in {CARD}, got {len(text):,}",
                "use fewer or shorter labels and prefixes",
                argument="labels",
            )
        (part / CARD).write_text(text, encoding="utf-8")


def load_joint(
    directory: str | Path, lm: LM | None = None
) -> tuple[Joint, ClassifierSettings, Rejection | None]:
    """Read what `save_joint` wrote, and check its hashes.

    Args:
        directory: The directory of the classifier.
        lm: The model that the classifier needs and does not contain; or None.

    Returns:
        The joint distribution, its settings, and the reference of outliers or None.

    Raises:
        BadSource: The directory is damaged, or has no classifier.
        BadValue: `lm` is another model, or missing, or not needed.
    """
    if lm is not None:
        refuse_normalizing(lm.vocab, "a classifier")
    home = Path(directory)
    card = _read_card(home)
    try:
        return _joint(home, card, lm)
    except (KeyError, TypeError, ValueError, AttributeError, IndexError) as e:
        if isinstance(e, PofxError):
            raise
        raise BadSource(
            f"{home / CARD}: expected the file as pofx wrote it, got a changed file",
            "copy the directory again, or train the classifier again",
        ) from None


def outside_fingerprint(directory: str | Path) -> str | None:
    """Return the fingerprint of the model that a classifier needs from outside; None where it has its own models."""
    card = _read_card(Path(directory))
    return str(card.get("fingerprint")) if card.get("models") == 0 else None


def _joint(
    home: Path, card: dict[str, Any], lm: LM | None
) -> tuple[Joint, ClassifierSettings, Rejection | None]:
    lms = _from_outside(home, card, lm) if card["models"] == 0 else _from_files(home, card, lm)
    one = LABELS[card["classes"]["type"]]
    classes = tuple(one(v) for v in card["classes"]["values"])
    given = None if card["given"] is None else tuple(_text_from_json(g) for g in card["given"])
    count = np.array(card["count"], dtype=np.float64)
    log_prior = np.array([-np.inf if p is None else p for p in card["log_prior"]], dtype=np.float64)
    if len({len(classes), len(count), len(log_prior), len(given if given is not None else lms)}) != 1:
        raise BadSource(
            f"{home / CARD}: expected a number for each class, got other numbers",
            "train the classifier again",
        )
    held = card["rejection"]
    rejection = (
        None
        if held is None
        else Rejection(
            np.array([-np.inf if v is None else v for v in held["held_out"]], dtype=np.float64), held["per"]
        )
    )
    spec: Any = None
    if card["spec"] is not None:
        fields = dict(card["spec"])
        family = SPECS[fields.pop("family")]
        vocab = (lms[0] if given is not None else split_class_model(lms[0])[0]).vocab
        spec = family(**{**fields, "vocab": vocab if fields["vocab"] is None else fields["vocab"]})
    return (
        Joint(classes, lms, given, count, log_prior, float(card["power"])),
        ClassifierSettings(spec, card["prior"], card["length"], card["em"], card["background"]),
        rejection,
    )


def _from_outside(home: Path, card: dict[str, Any], lm: LM | None) -> tuple[LM, ...]:
    if lm is None:
        raise BadValue(
            f"{home}: expected the model that this classifier conditions on its labels and does not contain, got no "
            "model",
            Advice("name the model", "lm=load(…)", "-m MODEL"),
        )
    if card["fingerprint"] != lm.fingerprint:
        raise BadValue(
            f"{home}: expected the model of fingerprint {card['fingerprint']!r:.20}, got "
            f"{lm.fingerprint!r:.20}",
            "name the model that the classifier was made with",
        )
    return (lm,)


def _from_files(home: Path, card: dict[str, Any], lm: LM | None) -> tuple[LM, ...]:
    if lm is not None:
        raise BadValue(
            f"{home}: expected no model, since the classifier has its own models, got a model",
            "leave the model out",
        )
    names = [f"{i:04d}" for i in range(card["models"])] + [BACKGROUND] * (card["background"] > 0)
    found: list[LM] = []
    for name in names:
        part = home / name
        if not (part / "pofx.json").is_file() or file_sha256(part / "pofx.json") != card["sha256"][name]:
            raise BadSource(
                f"{part}: expected the model whose hash is in {CARD}, got another model",
                "train the classifier again",
            )
        one = read_directory(part)
        # Models over one vocabulary share it, so that texts are encoded once for all models.
        first = found[0].vocab if found else one.vocab
        if one.vocab.token_bytes == first.token_bytes and one.vocab.end == first.end:
            one = one.with_info(vocab=first)
        found.append(one)
    if card["given"] is not None:
        return tuple(found)
    pooled = found.pop() if card["background"] > 0 else None
    return assemble_class_models(found, card["stop"], pooled, card["background"])


def check_target(directory: str | Path) -> None:
    """Refuse a directory that is not empty and has no classifier, before any work is done."""
    check_output_directory(directory, CARD, "classifier")


def _read_card(home: Path) -> dict[str, Any]:
    try:
        there = (home / CARD).is_file()
    except OSError:
        there = False
    if not there:
        raise BadSource(
            f"{home}: expected a directory with {CARD}, got no such file",
            "train a classifier: pofx classify train FILE --label-field NAME -o DIR",
        )
    again = "copy the directory again, or train the classifier again"
    card = read_object(home / CARD, MOST_CARD, advice=again, infinite=True)
    if card.get("format") != FORMAT:
        raise BadSource(
            f"{home / CARD}: expected format {FORMAT}, got {card.get('format')!r:.40}",
            "read the file with the version of pofx that wrote it",
        )
    if card.pop("seal", None) != card_seal(card):
        raise BadSource(f"{home / CARD}: expected the file as pofx wrote it, got a changed file", again)
    return card


def is_savable(lm: LM) -> bool:
    """Return whether `save` can write this model, which it can for pofx's own families."""
    return type(lm).__name__ in ("NgramLM", "UnboundedLM", "TransformerLM")


def _labels_to_json(classes: tuple[Any, ...]) -> dict[str, Any]:
    values = [t.item() if isinstance(t, np.generic) else t for t in classes]
    kinds = {type(v).__name__ for v in values}
    if len(kinds) != 1 or not kinds <= set(LABELS):
        raise BadValue(
            f"expected strings, whole numbers, numbers or booleans to save, got {', '.join(sorted(kinds))}",
            "train with such labels",
            argument="labels",
        )
    return {"type": kinds.pop(), "values": values}


def _prior_to_json(prior: Prior, joint: Joint) -> Any:
    if isinstance(prior, str):
        return prior
    if isinstance(prior, Mapping):
        prior = [prior[t] for t in joint.classes]
    return np.asarray(prior, dtype=np.float64).tolist()


def _spec_to_json(spec: VocabSpec | None) -> dict[str, Any] | None:
    if spec is None:
        return None
    family = next(name for name, kind in SPECS.items() if isinstance(spec, kind))
    fields = {f.name: getattr(spec, f.name) for f in dataclasses.fields(spec)}
    return {"family": family, **fields, "vocab": spec.vocab if isinstance(spec.vocab, str) else None}


def _text_to_json(text: str | bytes) -> dict[str, str]:
    return {"text": text} if isinstance(text, str) else {"hex": to_bytes(text).hex()}


def _text_from_json(found: dict[str, str]) -> str | bytes:
    return str(found["text"]) if "text" in found else bytes.fromhex(found["hex"])
