"""Arithmetic coding: a text in −log2 p bits, which is a working proof that p is a distribution."""

from __future__ import annotations

import math
from dataclasses import dataclass

from pofx.algorithms.coding import adaptive
from pofx.arithmetic import one_thread
from pofx.errors import Advice, BadValue, Undecodable, require
from pofx.interactive.shown import Shown
from pofx.lm.begin import refuse_unconditional
from pofx.lm.model import LM
from pofx.queries.compression import parallel_streams
from pofx.queries.compression.blocks import CodeBlock, CompressedFile, hash_block, read_compressed
from pofx.queries.compression.decompress import BlockProgress, CodingProgress, decode_all
from pofx.queries.compression.identity import identify_model
from pofx.queries.compression.unencodable import split_pieces
from pofx.values import check_whole_number
from pofx.vocab.vocabulary import refuse_normalizing, to_bytes

# The most bytes by which the model's code of a text may exceed the text; a longer code is not used.
LONGER = 16


@dataclass(frozen=True, repr=False)
class Compression(Shown):
    """The file that `compress` makes, and an account of its bits.

    The ideal bits, lane bits, quantisation bits, escape bits and header bits add up to 8 · len(blob).

    Attributes:
        blob: The file.
        bytes: The number of bytes of data.
        tokens: The number of tokens coded by the model, EOS counted.
        ideal_bits: −log2 p of the texts among the data, by the model or by the adaptive counts.
        lanes: The number of parallel streams, which are parts of a text coded side by side.
        lane_bits: The cost of parts that are coded without the text before: −Σ log2 p(part) + log2 p(text).
        quantisation_bits: The cost of frequencies out of 2^24, and of the last word of 32 bits.
        escape_bits: Bits of the data that was coded without the model.
        header_bits: Bits of names, sizes and hashes.

    Right: `8 * len(c.blob) / c.bytes`, bits a byte of the whole file. Wrong: `c.ideal_bits / c.bytes` for that rate, which
    leaves out the header.
    """

    blob: bytes
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
        """Bits of the texts: ideal bits, lane bits and quantisation bits."""
        return 8 * len(self.blob) - self.header_bits - self.escape_bits


def compress(
    lm: LM | None, data: bytes | str, lanes: int | None = None, *, progress: CodingProgress | None = None
) -> bytes:
    """Compress `data` to −log2 p(data) bits and a header, by arithmetic coding.

    The code of tokens and EOS takes at most −log2 p + 0.03 bits a token + 64. The data may be any bytes: bytes that the
    vocabulary cannot spell exactly, and texts of probability 0, are coded without the model. The file is decoded once
    before it is returned, so compressing takes twice the time of decompressing.

    Any machine can decode the file of an n-gram or a mixing model. The numbers of other models depend on machine and
    libraries, so the file can only be decoded with the same machine and libraries. Models in torch run on one thread.

    Args:
        lm: The model; None for the adaptive code, which learns its counts over orders 0 to 6 from the data.
        data: The data; a str is coded as UTF-8.
        lanes: The number of parallel streams, which are parts of a text coded side by side, each after x0. n streams are n
            times as fast. Each part costs more bits, since it is predicted without the parts before. None means one stream,
            or up to 64 for a model of short memory, if the cost is at most 0.02 bits a token.
        progress: A function that is called with a stage and the share of the stage that is done.

    Returns:
        The file, for `decompress` with the same model.

    Raises:
        NoBOS: The model has no x0.
        BadValue: `lanes` is outside its domain, the vocabulary has over 340,000 ids, or two runs of the same steps give
            different numbers.

    Right: `decompress(lm, compress(lm, text))`. Wrong: keeping the file without the model.
    """
    return compression(lm, data, lanes, progress=progress).blob


def compression(
    lm: LM | None, data: bytes | str, lanes: int | None = None, *, progress: CodingProgress | None = None
) -> Compression:
    """Compress, and give an account of the bits; see `compress`.

    Args:
        lm: The model, or None.
        data: The data.
        lanes: The number of parallel streams, or None.
        progress: A function that is called with a stage and the share of the stage that is done.

    Returns:
        The file, and the number of its bits by purpose.

    Raises:
        PofxError: As for `compress`.

    Right: `compression(lm, text).ideal_bits`. Wrong: `len(compress(lm, text))` for −log2 p(text) in bits.
    """
    if lm is not None:
        refuse_normalizing(lm.vocab, "compressing, which gives back every byte")
    plain = to_bytes(data)
    lanes = None if lanes is None else check_whole_number("lanes", lanes, 1, parallel_streams.MAX_STREAMS)
    require("constriction", "compress", "compressing")
    if lm is None and lanes is not None:
        raise BadValue(
            f"expected None without a model, got {lanes}",
            "leave lanes out, or name a model",
            argument="lanes",
        )
    shares = BlockProgress(progress, "coding", len(plain))
    # Two threads sum a product in another order than one thread, and frequencies out of 2^24 differ for the two sums.
    with one_thread():
        made = (
            _compress_without_model(plain, shares)
            if lm is None
            else _compress_by_model(lm, plain, lanes, shares)
        )
        try:
            again = decode_all(
                lm, read_compressed(made.blob), BlockProgress(progress, "comparing", len(plain))
            )
        except Undecodable:
            again = None
    if again != plain:
        raise BadValue(
            "expected a model with the same numbers in every run, got other bytes when the file was decompressed, so "
            "nothing was written",
            ["set OMP_NUM_THREADS=1", Advice("compress without a model", "lm=None", "leave -m out")],
        )
    return made


def _compress_without_model(data: bytes, shares: BlockProgress) -> Compression:
    block, ideal = _code_without_model(data, shares)
    blob = CompressedFile({}, (block,) if data else ()).to_bytes()
    size = len(block.code)
    if ideal is None:  # the block has raw bytes, since a code by counts would not be shorter
        return Compression(blob, len(data), 0, 0.0, 1, 0.0, 0.0, 8 * size, 8 * (len(blob) - size))
    return Compression(blob, len(data), 0, ideal, 1, 0.0, 8 * size - ideal, 0, 8 * (len(blob) - size))


def _code_without_model(data: bytes, shares: BlockProgress) -> tuple[CodeBlock, float | None]:
    """Return a block without a model, and its −log2 p; None as −log2 p of raw bytes, if a code would not be shorter."""
    found = adaptive.encode(data, shares.next(len(data)))
    if found is None:
        return CodeBlock("raw", len(data), data, hash_block(data)), None
    return CodeBlock("adaptive", len(data), found[0], hash_block(data)), found[1]


def _compress_by_model(lm: LM, data: bytes, lanes: int | None, shares: BlockProgress) -> Compression:
    if lm.begin.known == "none":
        raise refuse_unconditional(lm.begin, "the code of a file")
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
    lm: LM, data: bytes, lanes: int | None, shares: BlockProgress
) -> tuple[CodeBlock, float, float] | None:
    """Code a text by the model; return the block, and −log2 p of the text and of its parts.

    The result is None for a text of probability 0, and where the code would exceed the text by more than `LONGER` bytes.
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
    if not math.isfinite(parts):  # a part has probability 0 after x0
        n, parts = 1, whole
    if parts > 8 * (len(data) + LONGER):
        return None
    code = parallel_streams.encode(lm, path, n, shares.next(len(data)))
    return CodeBlock("model", len(data), code, hash_block(data), len(path), n), whole, parts
