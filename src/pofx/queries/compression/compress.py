"""A text as short as a model expects it to be: arithmetic coding, the working proof that p is a distribution."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field

from pofx.algorithms.coding import adaptive
from pofx.arithmetic import one_thread
from pofx.errors import Advice, BadValue, PofxError, Undecodable, require
from pofx.lm.begin import refuse_unconditional
from pofx.lm.model import LM
from pofx.queries.compression import parallel_streams
from pofx.queries.compression.blocks import CodeBlock, CompressedFile, hash_block, read_compressed
from pofx.queries.compression.identity import THREADS, describe_identity, identify_model, list_differences
from pofx.queries.compression.unencodable import split_pieces
from pofx.values import check_whole_number
from pofx.vocab.vocabulary import refuse_normalizing, to_bytes

# A text that a model would make longer by more bytes than this is coded without it.
LONGER = 16
SHOWN = 4  # differences of two models that a message names
# A small file that stands for a huge one may have been made to keep a decoder busy: 7 KB can claim 10 MB, which take half a
# minute. Texts come down to a tenth, seldom to a hundredth.
PLENTY, TIMES = 1 << 20, 100


@dataclass(frozen=True)
class Compression:
    """What `compress` made, and where its bits went.

    blob: the file. bytes: of the data. tokens: coded by the model, EOS counted. ideal_bits: −log2 p of the texts
    among the data, by the model or by the adaptive counts. lanes: parts coded side by side; lane_bits: what their
    beginnings cost, −Σ log2 p(part) + log2 p(text). quantisation_bits: of frequencies out of 2^24, and of the last
    word of 32 bits. escape_bits: of what was coded without the model. header_bits: names, sizes, hashes. The
    five add up to 8 · len(blob).
    """

    blob: bytes = field(repr=False)
    bytes: int
    tokens: int
    ideal_bits: float
    lanes: int
    lane_bits: float
    quantisation_bits: float
    escape_bits: int
    header_bits: int

    @property
    def payload_bits(self) -> int:
        """Of the texts: ideal, lanes and quantisation."""
        return 8 * len(self.blob) - self.header_bits - self.escape_bits


# Is given what is being done, and the share of it that is done.
CodingProgress = Callable[[str, float], None]


def compress(
    lm: LM | None, data: bytes | str, lanes: int | None = None, *, progress: CodingProgress | None = None
) -> bytes:
    """`data` in −log2 p(data) bits and a header, by arithmetic coding; `decompress` with the same model gives it back.

    The code of the tokens and of EOS takes at most −log2 p + 0.03 bits a token + 64. Any bytes will do: what the
    vocabulary cannot spell exactly (a stray byte, an unknown character), and what has probability 0, is coded beside
    the texts, without the model. lm: None for the adaptive code, which needs no model: its counts over orders 0 to 6
    are learned from the data while it is coded.

    What is made is decoded again before it is returned, so compressing takes twice the time of decompressing.

    An n-gram's files can be decoded on any machine. Any other model's numbers depend on machine and libraries, and only
    the same ones decode them; models in torch are run on one thread, whatever there are. lanes: so many parts of a text
    are coded side by side, each behind x0, which is faster by as much and costs what the parts do not know of each
    other. None: one, but for models of short memory up to 64, as long as that costs at most 0.02 bits a token.
    progress: is given (stage, share done).

    `NoBOS` without x0; `BadValue` for lanes that are none, for a vocabulary over 340,000 and for a model whose
    numbers differ from one run of the same steps to the next.
    Right: `decompress(lm, compress(lm, text))`. Wrong: keeping the file without the model.
    """
    return compression(lm, data, lanes, progress=progress).blob


def compression(
    lm: LM | None, data: bytes | str, lanes: int | None = None, *, progress: CodingProgress | None = None
) -> Compression:
    """`compress`, with the account of its bits. Right: `compression(lm, text).ideal_bits`."""
    if lm is not None:
        refuse_normalizing(lm.vocab, "compressing, which gives back every byte")
    plain = to_bytes(data)
    lanes = None if lanes is None else check_whole_number("lanes", lanes, 1, parallel_streams.MAX_STREAMS)
    require("constriction", "compress", "compressing")
    if lm is None and lanes is not None:
        raise BadValue(
            f"lanes: expected a model, whose texts they are parts of, found {lanes} and no model", None
        )
    shares = _BlockProgress(progress, "coding", len(plain))
    # Two threads sum a product in another order than one does, and a code of 24 bits a token tells the two apart.
    with one_thread():
        made = (
            _compress_without_model(plain, shares)
            if lm is None
            else _compress_by_model(lm, plain, lanes, shares)
        )
        try:
            again = _decode_all(
                lm, read_compressed(made.blob), _BlockProgress(progress, "comparing", len(plain))
            )
        except Undecodable:
            again = None
    if again != plain:
        raise BadValue(
            "expected a model that computes the same numbers whenever it takes the same steps, found one that "
            "does not: its code, decoded, is something else",
            "nothing was written. Set OMP_NUM_THREADS=1, if it sums in threads of its own, or compress without "
            "a model",
        )
    return made


def decompress(
    lm: LM | None, blob: bytes, *, max_bytes: int | None = None, progress: CodingProgress | None = None
) -> bytes:
    """The data that `compress` was given, every byte, or an error: never anything else.

    lm: the model that it was compressed with; it may be None for a file of the adaptive code. max_bytes: a file that
    claims more is refused before any of it is decoded. None: so is one that claims over a megabyte and over 100 times
    its own size, which few texts come down to. `Undecodable` for a damaged or truncated file, and for another model,
    tokenizer, x0, window rule or (but for n-grams) machine or library; the message says which. progress: is given
    (stage, share done).
    """
    if lm is not None:
        refuse_normalizing(lm.vocab, "decompressing, which gives back every byte")
    blob = bytes(blob)
    if max_bytes is not None:
        check_whole_number("max_bytes", max_bytes)
    packed = read_compressed(blob)
    check_claim(packed, len(blob), max_bytes)
    with one_thread():
        return _decode_all(lm, packed, _BlockProgress(progress, "decoding", 0))


def check_claim(packed: CompressedFile, size: int, max_bytes: int | None = None) -> None:
    """`Undecodable` for a file of `size` bytes that claims to stand for more than it should; see `decompress`."""
    most = max(PLENTY, TIMES * size) if max_bytes is None else max_bytes
    claimed = sum(max(block.size, block.tokens - 1) for block in packed.blocks)  # EOS spells nothing
    if claimed > most:
        raise Undecodable(
            f"expected a file that stands for at most {most:,} bytes, found one of {size:,} bytes that claims "
            f"{claimed:,}",
            Advice("allow them if you trust it", f"max_bytes={claimed}", f"--max-bytes {claimed}"),
        )


def _decode_all(lm: LM | None, packed: CompressedFile, shares: _BlockProgress) -> bytes:
    if packed.identity:
        if lm is None:
            raise Undecodable(
                f"expected the model that this was compressed with ({describe_identity(packed.identity)}), found none",
                Advice("name it", "decompress(lm, …)", "-m MODEL"),
            )
        differing = list_differences(packed.identity, lm)
        if differing:
            more = f"; and {len(differing) - SHOWN} more" if len(differing) > SHOWN else ""
            then, threads = None, packed.identity.get("threads", str(THREADS))
            if threads != str(THREADS) and any(line.startswith("threads: ") for line in differing):
                then = f"decompress it with the version that wrote it, and OMP_NUM_THREADS={threads:.4}"
            raise Undecodable(
                "expected the model that this was compressed with, found another "
                f"({'; '.join(differing[:SHOWN])}{more})",
                then,
            )
    shares.total = sum(block.size for block in packed.blocks)
    return b"".join(_decode_block(lm, block, shares.next(block.size)) for block in packed.blocks)


class _BlockProgress:
    """Progress by bytes of the data, over blocks that each tell their own share. Local to one call."""

    def __init__(self, progress: CodingProgress | None, stage: str, total: int) -> None:
        self.progress, self.stage, self.total, self.before = progress, stage, total, 0

    def next(self, size: int) -> adaptive.Tell:
        """What the next block of so many bytes tells its share to."""
        before, progress = self.before, self.progress
        self.before += size
        if progress is None:
            return adaptive.silent
        return lambda share: progress(self.stage, (before + share * size) / max(self.total, 1))


def _compress_without_model(data: bytes, shares: _BlockProgress) -> Compression:
    block, ideal = _code_without_model(data, shares)
    blob = CompressedFile({}, (block,) if data else ()).to_bytes()
    size = len(block.code)
    if ideal is None:  # as it is: nothing was learned from it
        return Compression(blob, len(data), 0, 0.0, 1, 0.0, 0.0, 8 * size, 8 * (len(blob) - size))
    return Compression(blob, len(data), 0, ideal, 1, 0.0, 8 * size - ideal, 0, 8 * (len(blob) - size))


def _code_without_model(data: bytes, shares: _BlockProgress) -> tuple[CodeBlock, float | None]:
    """A block without a model, and its −log2 p; None for one as it is, where counting would not shorten it."""
    found = adaptive.encode(data, shares.next(len(data)))
    if found is None:
        return CodeBlock("raw", len(data), data, hash_block(data)), None
    return CodeBlock("adaptive", len(data), found[0], hash_block(data)), found[1]


def _compress_by_model(lm: LM, data: bytes, lanes: int | None, shares: _BlockProgress) -> Compression:
    if lm.begin.known == "none":
        raise refuse_unconditional(lm.begin, "compressing")
    blocks: list[CodeBlock] = []
    tokens, most, ideal, parted = 0, 1, 0.0, 0.0
    beside = b""
    for piece in split_pieces(lm.vocab, data):
        made = _code_text(lm, piece.data, lanes, shares) if piece.text else None
        if made is None:
            beside += piece.data
            continue
        if beside:
            blocks.append(_code_without_model(beside, shares)[0])
            beside = b""
        block, whole, parts = made
        blocks.append(block)
        tokens, most = tokens + block.tokens, max(most, block.streams)
        ideal, parted = ideal + whole, parted + parts
    if beside:
        blocks.append(_code_without_model(beside, shares)[0])
    blob = CompressedFile(identify_model(lm), tuple(blocks)).to_bytes()
    payload = 8 * sum(len(b.code) for b in blocks if b.kind == "model")
    escaped = 8 * sum(len(b.code) for b in blocks if b.kind != "model")
    header = 8 * len(blob) - payload - escaped
    return Compression(
        blob, len(data), tokens, ideal, most, parted - ideal, payload - parted, escaped, header
    )


def _code_text(
    lm: LM, data: bytes, lanes: int | None, shares: _BlockProgress
) -> tuple[CodeBlock, float, float] | None:
    """A block of the model, and −log2 p of its text and of its parts; None where the model is no help.

    It is none for a text of probability 0, nor where the code is longer than the text, but for short ones.
    """
    path = parallel_streams.encode_path(lm, data)
    whole = parallel_streams.ideal_bits(lm, path)
    if not math.isfinite(whole):
        return None
    n = (
        parallel_streams.choose_stream_count(lm, path, whole)
        if lanes is None
        else parallel_streams.part_count(lanes, len(path))
    )
    parts = whole if n == 1 else parallel_streams.ideal_bits(lm, path, n)
    if not math.isfinite(parts):  # no part could begin so behind x0
        n, parts = 1, whole
    if parts > 8 * (len(data) + LONGER):
        return None
    code = parallel_streams.encode(lm, path, n, shares.next(len(data)))
    return CodeBlock("model", len(data), code, hash_block(data), len(path), n), whole, parts


def _decode_block(lm: LM | None, block: CodeBlock, tell: adaptive.Tell) -> bytes:
    if block.kind == "raw":
        data = block.code
    elif block.kind == "adaptive":
        # A small file that stands for a huge one was made to fill memory.
        if block.size * adaptive.LEAST_COST > 8 * len(block.code) + 64:
            raise Undecodable(
                f"expected a block that its {len(block.code):,} bytes can stand for, found one of {block.size:,} bytes",
                None,
            )
        data = adaptive.decode(block.code, block.size, tell)
    else:
        assert lm is not None  # noqa: S101  (ours: `unpacked` refuses such a block without an identity)
        data = _decode_tokens(lm, block, tell)
    if len(data) != block.size or hash_block(data) != block.data_hash:
        raise Undecodable(
            "expected to decode the data that was compressed, found other data: this model's numbers are not "
            "those that it was compressed with",
            "use the same model, machine and libraries",
        )
    return data


def _decode_tokens(lm: LM, block: CodeBlock, tell: adaptive.Tell) -> bytes:
    if len(block.code) % 4:
        raise Undecodable(f"expected a code in words of 32 bits, found {len(block.code):,} bytes", None)
    try:
        path = parallel_streams.decode(lm, block.code, block.tokens, block.streams, tell)
        return lm.vocab.decode([int(i) for i in path if i != lm.vocab.end])
    except Undecodable:
        raise
    except PofxError as e:
        raise Undecodable(
            f"expected the code of a text, found one that this model cannot follow: {e.message}", e.advice
        ) from None
