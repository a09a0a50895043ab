"""A pretrained tokenizer that encodes text, and never gives the id of a control token for text."""

from __future__ import annotations

import copy
import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from pofx.errors import BadSource
from pofx.files.isolated.muffled_stderr import muffled
from pofx.vocab import blocks
from pofx.vocab.tokenizer.files.control_tokens import Added
from pofx.vocab.tokenizer.files.refused_steps import may_panic
from pofx.vocab.tokenizer.files.tokenizer_json import TokenizerFile, merges_of
from pofx.vocab.tokenizer.library_calls import file_call, text_call
from pofx.vocab.tokenizer.normalized import EMPTY_MODEL, Normalization
from pofx.vocab.tokenizer.opening_space import remove_opening_space
from pofx.vocab.tokenizer.safe_cuts import SafeCuts
from pofx.vocab.tokenizer.token_bytes import Spelling

if TYPE_CHECKING:
    from tokenizers import Tokenizer
    from tokenizers.models import BPE, Unigram


class TextTokenizer:
    """A tokenizer of str by the pipeline of a tokenizer.json, without the steps that are not about text.

    The pipeline has no special added tokens, no post-processor, no truncation, padding or dropout, and no unknown token
    in BPE. The texts of control tokens are removed from the model. Otherwise Unigram would use such a text like any other
    piece, and BPE would make this text by merges, or with ignore_merges. The flag encode_special_tokens prevents neither.

    Attributes:
        name: The file, for messages.
        normalizers: The names of the tokenizer's normalizers.
        opening: Whether the file's tokenizer puts a space before every text. The pipeline has no such step: the caller
            puts " " before a text, and nothing before a text that continues another text.
        added: The added tokens that are text. In this tokenizer these tokens do not include the spaces beside them.
        opened: The texts of added tokens that the file's tokenizer recognises only after a space that the tokenizer puts
            there (`normalized`, with a Prepend).
    """

    def __init__(
        self,
        file: TokenizerFile,
        spelling: Spelling,
        spelled: Sequence[bytes | None],
        control: frozenset[int],
        added: Sequence[Added],
    ) -> None:
        from tokenizers import Tokenizer

        self.name, self._spelled, self._byte_level = file.name, spelled, spelling.byte_level
        before, behind, self.opens, prepended = remove_opening_space(file, spelling.space)
        self.opening = self.opens != "none"
        self._behind = {"type": "Sequence", "pretokenizers": behind} if behind else None
        normalizer = {"type": "Sequence", "normalizers": before} if before else None
        with file_call():
            self._tokenizer: Tokenizer = Tokenizer.from_str(json.dumps(_skeleton(normalizer, self._behind)))
        self.opened = tuple(a.content for a in added if a.normalized and prepended)
        others = "|".join(re.escape(a.content) for a in added if not a.normalized)
        opened = "|".join(map(re.escape, self.opened))
        self._section = re.compile(f"({others})(?= *(?:{opened}))") if others and opened else None
        added = [self._as_normalized(a, prepended, file) if a.content in self.opened else a for a in added]
        lost = next((a.content for a in added if a.normalized and not self._normalize(a.content)), None)
        if lost is not None:  # the library would find an empty token everywhere
            raise BadSource(
                f"{file.name}: expected an added token that is not empty after normalization, got "
                f"{lost!r:.60}",
                "get the file again, or use another model",
            )
        model = _model(file, control, added)
        with file_call():
            self._tokenizer.model = model
        self._add(added)
        self._panics = may_panic([*before, *behind], len(before))
        self._added = added
        self._reading = Normalization(before, spelling.space, [a for a in added if not a.normalized])
        self.normalizers = self._reading.names

    def normalized(self, text: str) -> tuple[str, list[str]]:
        """Return the normalized text, with spaces as spaces, and the names of the normalizers that changed the text."""
        with muffled(self._panics):
            return self._reading.of(text)

    @property
    def loses_opening(self) -> bool:
        """Whether a normalizer removes the space that is put before a text."""
        return self.opening and self.normalized(" a")[0][:1] != " "

    def shown(self, a: Added) -> str:
        """Return the text of an added token in a text that was normalized."""
        return self._reading.of(a.content)[0] if a.normalized else a.content

    def as_read(self) -> TextTokenizer:
        """Return the same tokenizer for texts that are already normalized, so that no text is normalized twice.

        The only normalizers of the result are the ones that write spaces and bytes in the characters of the table.
        """
        from tokenizers import Tokenizer

        out = copy.copy(self)
        out.__dict__.pop("_cuts", None)
        with file_call():
            out._tokenizer = Tokenizer.from_str(json.dumps(_skeleton(self._reading.spelling, self._behind)))
            out._tokenizer.model = self._tokenizer.model
        out._add(self._added)
        return out

    def _add(self, added: Sequence[Added]) -> None:
        from tokenizers import AddedToken

        with file_call():
            self._tokenizer.add_tokens(
                [AddedToken(a.content, single_word=a.single_word, normalized=a.normalized) for a in added]
            )
        self._renumbered = self._ids_of(added)

    def _normalize(self, text: str) -> str:
        """Return the text that the library's normalizer makes of a text."""
        normalizer = self._tokenizer.normalizer
        if normalizer is None:
            return text
        with file_call():
            out: str = normalizer.normalize_str(text)
        return out

    def _as_normalized(self, a: Added, prepended: str, file: TokenizerFile) -> Added:
        """Return the added token with a text whose normal form is the token's normal form in the file's own tokenizer.

        The file's own tokenizer puts its space before the token's text, too, as before any text.
        """
        wanted = self._normalize(prepended + a.content)
        texts = [t for t in (" " + a.content, prepended + a.content) if self._normalize(t) == wanted]
        # An added token with the text of a token of the table would have that token's id.
        return replace(a, content=next((t for t in texts if t not in file.table), texts[-1]))

    def encode_all(self, texts: Sequence[str]) -> Iterator[list[int]]:
        """Yield the ids of each text, in batches of about `BLOCK` characters."""
        if self._section is not None:
            # Text after another added token is normalized by itself: it needs a space of its own, which is then removed.
            texts = [self._section.sub(r"\1 ", t) for t in texts]
        return blocks.encode_in_blocks(texts, self._encode_batch, self._encode_long)

    def _encode_batch(self, texts: list[str]) -> Iterator[list[int]]:
        if len(texts) == 1 and len(texts[0]) < 4096:  # no thread pool, which would make later forks warn
            with text_call(), muffled(self._panics):
                encodings = [self._tokenizer.encode(texts[0], add_special_tokens=False)]
        elif texts:  # no offsets either: half the time and memory
            with text_call(), muffled(self._panics):
                encodings = self._tokenizer.encode_batch_fast(texts, add_special_tokens=False)
        else:
            return
        for found in encodings:
            ids: list[int] = found.ids
            yield ids if self._renumbered is None else self._renumbered[ids].tolist()

    def _encode_long(self, text: str) -> list[int]:
        """Return the ids of a long text, encoded in blocks that end at safe cuts; a text without safe cuts is one block."""
        out: list[int] = []
        start = low = 0
        while len(text) - low > blocks.BLOCK:
            high = low + blocks.BLOCK
            cut = self._cuts.last(text, high - blocks.BLOCK // 2, high)
            if cut is not None:
                out += next(self._encode_batch([text[start:cut]]))
                start = cut
            low = high if cut is None else cut
        return out + next(self._encode_batch([text[start:]]))

    @cached_property
    def _cuts(self) -> SafeCuts:
        tokens = (b for b in self._spelled if b is not None)
        return SafeCuts(tokens, lambda t: next(self._encode_batch([t])), self._byte_level)

    def _ids_of(self, added: Sequence[Added]) -> NDArray[np.int64] | None:
        """Return the id of the file for each id of the library; None where all ids agree.

        The library numbers added tokens itself, after the model's table. The added tokens of BPE stand in the table.
        """
        with file_call():
            theirs = {self._tokenizer.token_to_id(a.content): a.id for a in added}
        if all(i == j for i, j in theirs.items()):
            return None
        out = np.arange(self._tokenizer.get_vocab_size() + 1)
        for i, j in theirs.items():
            out[i] = j
        return out


def ids_around_text(file: TokenizerFile, rows: int) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Return the ids that the post_processor puts before and after a text, by a run on one text."""
    from tokenizers import Tokenizer

    skeleton = {**_skeleton(None, None), "post_processor": file.post_processor}
    skeleton["model"] = {**EMPTY_MODEL, "vocab": {"x": 0}}
    with file_call():
        encoding = Tokenizer.from_str(json.dumps(skeleton)).encode("x")
    of_text = [k for k, special in enumerate(encoding.special_tokens_mask) if not special]
    if len(of_text) != 1 or any(i >= rows for i in encoding.ids):
        raise BadSource(
            f"{file.name}: expected a post_processor that puts tokens of the model around one text, got a "
            f"post_processor that makes {len(of_text)} of it, or ids of {rows} and more: {encoding.ids!s:.60}",
            "download the tokenizer again",
        )
    return tuple(encoding.ids[: of_text[0]]), tuple(encoding.ids[of_text[0] + 1 :])


def _model(file: TokenizerFile, control: frozenset[int], added: Sequence[Added]) -> BPE | Unigram:
    """Return the model, in which no word of text is a control token."""
    if file.kind == "Unigram":
        from tokenizers.models import Unigram

        # Ids are positions, so a control token needs a stand-in. No text has this piece, since the model never sees a space.
        pieces = [
            (f"\ufffe control {i}" if i in control else piece, float(score))
            for i, (piece, score) in enumerate(file.model["vocab"])
        ]
        unknown, fallback = file.model.get("unk_id"), bool(file.model.get("byte_fallback"))
        with file_call():
            return Unigram(pieces, unk_id=unknown, byte_fallback=fallback)

    # BPE makes one token of a word by the merges of this word alone, and its neighbours do not matter. So a trial of each
    # control token's text as a word is enough, and the table is searched only where such a text is a word.
    table = {**file.table, **{a.content: a.id for a in added}}
    merges = merges_of(file)
    model = _bpe(file, table, merges)
    names = [t for t, i in table.items() if i in control]
    with file_call():
        alone = {token.id for name in names if name for token in model.tokenize(name)}
    if alone & control:
        table = {(f"\ufffe control {i}" if i in control else t): i for t, i in table.items()}
        merges = [(a, b) for a, b in merges if a in table and b in table and a + b in table]
        model = _bpe(file, table, merges)
    return model


def _bpe(file: TokenizerFile, table: dict[str, int], merges: list[tuple[str, str]]) -> BPE:
    from tokenizers.models import BPE

    with file_call():
        return BPE(
            vocab=table,
            merges=merges,
            fuse_unk=bool(file.model.get("fuse_unk")),
            byte_fallback=bool(file.model.get("byte_fallback")),
            ignore_merges=bool(file.model.get("ignore_merges")),
        )


def _skeleton(normalizer: dict[str, Any] | None, pre_tokenizer: dict[str, Any] | None) -> dict[str, Any]:
    """Return a tokenizer.json with the two given steps and a model without tokens."""
    return {
        "version": "1.0",
        "added_tokens": [],
        "normalizer": normalizer,
        "pre_tokenizer": pre_tokenizer,
        "model": EMPTY_MODEL,
    }
