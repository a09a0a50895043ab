"""The vocabulary of a pretrained model, from its tokenizer.json: faithful to the byte, free of control tokens."""

from __future__ import annotations

import copy
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pofx.errors import BadValue, NotText
from pofx.vocab.control_tokens import ControlTokens
from pofx.vocab.subwords import utf8_runs
from pofx.vocab.tokenizer.files.chat_template import Template, render_chat
from pofx.vocab.tokenizer.files.control_tokens import control_candidates, control_names
from pofx.vocab.tokenizer.files.tokenizer_json import FILE, parse
from pofx.vocab.tokenizer.library_calls import opening_file
from pofx.vocab.tokenizer.text import TextTokenizer, ids_around_text
from pofx.vocab.tokenizer.token_bytes import Spelling, token_bytes
from pofx.vocab.tokenizer.unencodable import unencodable_error
from pofx.vocab.vocabulary import Vocab, to_bytes

_WITHIN_BYTE_TEXT = "(?<=<)(?=0x[0-9A-Fa-f]{2}>)"


class TokenizerVocab(Vocab):
    """The tokens of a pretrained model: `decode(encode(x)) == x`, checked on every text.

    `token_bytes` is None for rows without a token and for control tokens: added tokens marked special, BOS, EOS, the unknown
    token, and others that the files declare. The name of a control token in a text is ordinary text, and has the ids of
    other tokens. Added tokens that are not special, such as "<think>", are text.

    The ids are the ids of `transformers` (without special tokens, with split_special_tokens) wherever these spell the text.
    Elsewhere, a space that the tokenizer puts before texts stands before a text that begins with a space, too. The mark
    "▁", the text "<0x0A>" and stray bytes are spelled by tokens of bytes, or by smaller tokens. Added tokens do not include
    the spaces beside them. `NotText` refuses a character that no token spells, and a text that a normalizer changes.

    Args:
        tokenizer: A parsed tokenizer.json, BPE or Unigram.
        rows: V, the number of ids in the model's next-token distribution.
        end: The id of EOS; None where texts never end.
        control: Further ids that are no text, beside the control tokens of the files.
        config: A parsed tokenizer_config.json; None without one.
        name: The file, for messages.

    Attributes:
        control: The control tokens of the files. `candidates` are the declared roles, EOS, and separators by name. As in
            transformers 5, the post_processor alone decides `adds_before` and `adds_after`, not tokenizer_config.json.
        declared: Ids by role ("bos", "eos", …), as the tokenizer's files have them; these tokens may be text.
        template: The chat template; None without one.
        opening: Whether the tokenizer puts a space before every text; the space is no part of the text.

    Raises:
        BadSource: The file cannot be run, its tokens do not determine bytes (WordPiece), or it has more tokens than rows.

    Right: `vocab.control.names["<|im_end|>"]`, the id of a control token. Wrong: `vocab.encode("<|im_end|>")` for that id.
    """

    def __init__(
        self,
        tokenizer: Mapping[str, Any],
        rows: int,
        end: int | None = None,
        control: Iterable[int] = (),
        config: Mapping[str, Any] | None = None,
        name: str = FILE,
    ) -> None:
        if type(rows) is not int or rows < 1:
            raise BadValue(f"expected a number of ids, at least 1, got {rows!r}", None, argument="rows")
        if end is not None and not (type(end) is int and 0 <= end < rows):
            raise BadValue(f"expected an id in [0, {rows}) or None, got {end!r}", None, argument="end")
        beside = frozenset(control)
        if any(i < 0 for i in beside):
            raise BadValue(f"expected ids from 0, got {min(beside)}", None, argument="control")
        self.size, self.end = rows, end
        file = parse(tokenizer, config or {}, name)
        self._control = frozenset([*beside, *file.special.values(), *([] if end is None else [end])])
        with opening_file(name):
            spelling = Spelling.of(file)
            self.token_bytes = token_bytes(file, spelling, self._control, rows)
            added = [a for a in file.added if a.id < rows and self.token_bytes[a.id] == a.content.encode()]
            self._reader = TextTokenizer(file, spelling, self.token_bytes, self._control, added)
            # Where a normalizer would remove the opening space, the space is put after that normalizer.
            self._checks = self._reader.loses_opening
            self._tokenizer = self._reader.as_read() if self._checks else self._reader
            # The tokenizer looks for the normalized texts of added tokens, which differ from their bytes.
            self._normal = {a.id: self._tokenizer.shown(a).encode() for a in added if a.normalized}
            before, after = ids_around_text(file, rows)
            names = control_names(file.table, file.added, self._control, rows)
        self.declared = file.declared
        self.control = ControlTokens(
            names, control_candidates(file.declared, end, names, rows), before, after
        )
        self.template: Template | None = None
        self._written: TokenizerVocab | None = None
        self.lstrip = frozenset(a.content for a in file.added if a.lstrip)
        self.rstrip = frozenset(a.content for a in file.added if a.rstrip)
        self.opening, self.opens = self._tokenizer.opening, self._tokenizer.opens
        opened = self._tokenizer.opened
        self._unopened = tuple(
            a.content for a in added if not a.content.startswith(" ") and a.content not in opened
        )
        byte_ids = spelling.byte_ids(file.table)
        self._byte_ids = [rows if i is None or i in self._control else i for i in byte_ids]  # rows: no token
        spellable = all(self._byte_ids[b] < rows for b in (spelling.space or "").encode())
        self._mark = spelling.space if spelling.space and spellable else None
        mark = f"({re.escape(self._mark)}+)|" if self._mark else ""
        # An added token that is found only after a space includes the space.
        preceding = (" ", *(a.content for a in added if not a.normalized)) if opened else ()
        swallowing = "".join(f"(?<={re.escape(b)})(?={re.escape(t)})|" for t in opened for b in preceding)
        self._mistaken = re.compile(mark + swallowing + _WITHIN_BYTE_TEXT)
        self._texts = {i: text for text, i in self.control.names.items()}

    @property
    def control_ids(self) -> frozenset[int]:
        """The ids that a file or the caller declares to be no text, without the rows that have no token."""
        return self._control

    @cached_property
    def unambiguous(self) -> bool:
        """Whether every text has one spelling: True only where each token is one byte, and no two tokens the same byte."""
        seen: set[bytes] = set()
        for b in self.token_bytes:
            if b is not None:
                if len(b) != 1 or b in seen or self.opening:
                    return False
                seen.add(b)
        return True

    @cached_property
    def continuation(self) -> TokenizerVocab:
        """The same vocabulary for texts that continue others, without a space before such a text.

        The result differs only where `opening` is true: "b" alone is then encoded as " b" would be after a word.
        """
        return self._but(opening=False) if self.opening else self

    def with_end(self, end: int | None) -> TokenizerVocab:
        """Return the same vocabulary with another control token as EOS, or without EOS; `BadValue` for an id of text."""
        if end is not None and not (0 <= end < self.size and self.token_bytes[end] is None):
            raise BadValue(
                f"expected the id of a control token, such as {dict(list(self.control.names.items())[:3])}, "
                f"got {end}",
                None,
                argument="end",
            )
        found = control_candidates(self.declared, end, self.control.names, self.size)
        return self._but(end=end, control=replace(self.control, candidates=found))

    def normalizing(self) -> TokenizerVocab:
        """Return the same vocabulary for texts that are already normalized: `encode` takes the text of `read` unchanged."""
        written = self._but(opening=False, _tokenizer=self._reader)
        with opening_file(self._reader.name):
            as_read = self._reader.as_read()
        return self._but(normalizes=True, _checks=False, _tokenizer=as_read, _written=written)

    def read(self, text: str | bytes) -> tuple[str | bytes, str]:
        """Return the text as the model reads it, and the names of the normalizers that changed it.

        `NotText` is raised where the tokenizer gives the changed text other ids. One cause is a normalizer that writes the
        text of an added token after the search for added tokens.
        """
        if self._written is None:
            return text, ""
        made, by = self._normalized(text)
        if not by:
            return text, ""
        theirs = self._written._encode_parts([utf8_runs(to_bytes(text))])[0]
        if self._as_normalized(theirs) != to_bytes(made):
            return made, by  # a character has no token, and `encode` raises the error
        read = self.continuation.decode(theirs)
        if self.continuation._encode_parts([utf8_runs(read)])[0] != theirs:
            raise NotText(
                f"the tokenizer normalises this text to {made!a:.60} (its normalizer is {by}), but reads that text as "
                "other tokens, so the text has no single probability",
                "change the text, or use another model",
            )
        return (
            (text, "") if read == to_bytes(text) else (read.decode() if isinstance(text, str) else read, by)
        )

    def _as_normalized(self, ids: Sequence[int]) -> bytes:
        """Return the normalized text that the ids spell."""
        return b"".join([self._normal.get(i, self.token_bytes[i] or b"") for i in ids if i < self.size])

    def _normalized(self, text: str | bytes) -> tuple[str | bytes, str]:
        names: list[str] = []
        parts = utf8_runs(to_bytes(text))
        for k, part in enumerate(parts):
            if isinstance(part, str):
                parts[k], changed = self._tokenizer.normalized(part)
                names += [n for n in changed if n not in names]
        if not names:
            return text, ""
        made = b"".join(map(to_bytes, parts))
        return (made.decode() if isinstance(text, str) else made), " + ".join(names)

    def _but(self, **changes: Any) -> TokenizerVocab:
        out = copy.copy(self)
        for name in ("continuation", "unambiguous"):
            out.__dict__.pop(name, None)
        out.__dict__.update(changes)
        return out

    def show(self, i: int) -> str:
        """Return a printable name of an id: EOS, the text of a control token, or the spelling of another token."""
        return self._texts.get(i) or super().show(i) if i != self.end else super().show(i)

    def pieces(self, ids: Sequence[int]) -> list[bytes]:
        """Return the bytes that each id adds to the text, without the space that the tokenizer puts before the text."""
        out = super().pieces(ids)
        first = next((k for k, piece in enumerate(out) if piece), None) if self.opening else None
        if first is not None:
            out[first] = out[first].removeprefix(b" ")
        return out

    def conversation(self, messages: Sequence[Mapping[str, Any]]) -> tuple[list[int], str] | None:
        """Return a conversation by the template of the checkpoint, as `render_chat` makes it."""
        return None if self.template is None else render_chat(self, self.template, messages)

    def encode(self, text: str | bytes) -> list[int]:
        """Return the tokenizer's ids of the text, without control tokens; `NotText` if no tokens spell the text."""
        return self._encode([text])[0]

    def encode_array(self, text: str | bytes) -> NDArray[np.int64]:
        """Return the ids of `encode` as an array."""
        return np.array(self._encode([text])[0], dtype=np.int64)

    def encode_many(self, texts: Sequence[str | bytes]) -> list[NDArray[np.int64]]:
        """Return the ids of each text, computed on all cores."""
        return [np.array(ids, dtype=np.int64) for ids in self._encode(texts)]

    def _encode(self, texts: Sequence[str | bytes]) -> list[list[int]]:
        data = [to_bytes(t) for t in texts]
        if self.listener is not None:
            self.listener(self.control.names, data)
        encoded = self._encode_parts([utf8_runs(d) for d in data])
        return [ids if self._spells(ids, d) else self._by_other_tokens(d) for ids, d in zip(encoded, data)]

    def _encode_parts(self, split: Sequence[Sequence[str | bytes]]) -> list[list[int]]:
        """Return the ids of texts in parts: str is encoded by the tokenizer, bytes by the tokens of single bytes."""
        strings: list[str] = []
        for parts in split:
            for k, part in enumerate(parts):
                if isinstance(part, str):
                    opens = self.opening and k == 0 and not part.startswith(self._unopened)
                    strings.append(" " + part if opens else part)
        encoded = iter(self._run(strings))
        out = []
        for parts in split:
            ids = [next(encoded) if isinstance(p, str) else [self._byte_ids[b] for b in p] for p in parts]
            out.append(ids[0] if len(ids) == 1 else [i for part in ids for i in part])
        return out

    def _run(self, strings: list[str]) -> list[list[int]]:
        return list(self._tokenizer.encode_all(strings))

    def _spells(self, ids: list[int], data: bytes) -> bool:
        """Return whether the ids are ids of text, and spell the given bytes."""
        spelled = self.token_bytes
        try:
            joined = b"".join([spelled[i] for i in ids])  # type: ignore[misc]
        except (TypeError, IndexError):
            return False
        spells = (joined.removeprefix(b" ") if self.opening else joined) == data
        return spells and not (self._checks and self._normalized(data)[1])

    def _by_other_tokens(self, data: bytes) -> list[int]:
        """Return the ids of a text whose characters the tokenizer mistakes for its own marks, or raise `NotText`."""
        ids = self._encode_parts([[p for run in utf8_runs(data) for p in self._cut(run)]])[0]
        if self._spells(ids, data):
            return ids
        read, by = self._normalized(data)
        usable = bool(by) and self._is_text(to_bytes(read))
        raise unencodable_error(
            data, self._said(ids), self._say, self._tokenizer.normalizers, by, read if usable else None
        )

    def _is_text(self, data: bytes) -> bool:
        """Return whether the tokenizer's ids of the bytes spell these bytes."""
        return self._spells(self._encode_parts([utf8_runs(data)])[0], data)

    def _say(self, text: str) -> bytes:
        return self._said(self._encode_parts([[text]])[0])

    def _said(self, ids: Sequence[int]) -> bytes:
        return self.decode([i for i in ids if i < self.size])

    def _cut(self, run: str | bytes) -> list[str | bytes]:
        """Return the parts of a run: the text "<0x0A>" in two parts, and the mark of the space as bytes."""
        if isinstance(run, bytes):
            return [run]
        parts = [p for p in self._mistaken.split(run) if p]
        return [p.encode() if self._mark and p.startswith(self._mark) else p for p in parts]
