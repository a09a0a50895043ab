"""Decompression: every byte of the compressed data, or an error."""

from __future__ import annotations

from collections.abc import Callable

from pofx.algorithms.coding import adaptive
from pofx.arithmetic import one_thread
from pofx.errors import Advice, PofxError, Undecodable
from pofx.lm.model import LM
from pofx.queries.compression import parallel_streams
from pofx.queries.compression.blocks import CodeBlock, CompressedFile, hash_block, read_compressed
from pofx.queries.compression.identity import THREADS, describe_identity, list_differences
from pofx.values import check_whole_number
from pofx.vocab.vocabulary import refuse_normalizing

SHOWN = 4  # the most differences of two models that a message names
# The most data that a file may claim: `PLENTY` bytes, or `TIMES` the size of the file. A small file could keep a decoder
# busy: 7 KB can claim 10 MB, which take half a minute to decode. Texts shrink to a tenth, seldom to a hundredth.
PLENTY, TIMES = 1 << 20, 100


# Called with a stage, and the share of the stage that is done.
CodingProgress = Callable[[str, float], None]


def decompress(
    lm: LM | None, blob: bytes, *, max_bytes: int | None = None, progress: CodingProgress | None = None
) -> bytes:
    """Return every byte of the data that `compress` has coded, or raise an error.

    Args:
        lm: The model that the file was compressed with; may be None for a file of the adaptive code.
        blob: The file.
        max_bytes: The most bytes of data that the file may claim; a larger claim is refused before decoding. None allows a
            megabyte, or 100 times the size of the file if that is more.
        progress: A function that is called with a stage and the share of the stage that is done.

    Returns:
        The data.

    Raises:
        Undecodable: The file is damaged or truncated, or claims too much. Or the model, tokenizer, x0 or window rule
            differs, or, except for n-grams, the machine or a library; the message names the difference.

    Right: `decompress(lm, blob)`. Wrong: `decompress(other_lm, blob)`, which is refused.
    """
    if lm is not None:
        refuse_normalizing(lm.vocab, "decompressing, which gives back every byte")
    blob = bytes(blob)
    if max_bytes is not None:
        check_whole_number("max_bytes", max_bytes)
    packed = read_compressed(blob)
    check_claim(packed, len(blob), max_bytes)
    with one_thread():
        return decode_all(lm, packed, BlockProgress(progress, "decoding", 0))


def check_claim(packed: CompressedFile, size: int, max_bytes: int | None = None) -> None:
    """Refuse a file that claims to stand for too much data; see `decompress`.

    Args:
        packed: The parsed file.
        size: The number of bytes of the file.
        max_bytes: The most bytes of data, or None.

    Raises:
        Undecodable: The file claims more.
    """
    most = max(PLENTY, TIMES * size) if max_bytes is None else max_bytes
    claimed = sum(max(block.size, block.tokens - 1) for block in packed.blocks)  # EOS spells nothing
    if claimed > most:
        raise Undecodable(
            f"expected a file that stands for at most {most:,} bytes, got a file of {size:,} bytes that claims "
            f"{claimed:,}",
            Advice(
                "allow so many bytes if you trust the file", f"max_bytes={claimed}", f"--max-bytes {claimed}"
            ),
        )


def decode_all(lm: LM | None, packed: CompressedFile, shares: BlockProgress) -> bytes:
    """Decode all blocks of a file; `Undecodable` where its identity differs from the identity of the model."""
    if packed.identity:
        if lm is None:
            raise Undecodable(
                f"expected the model that this was compressed with ({describe_identity(packed.identity)}), got no model",
                Advice("name the model", "decompress(lm, …)", "-m MODEL"),
            )
        differing = list_differences(packed.identity, lm)
        if differing:
            more = f"; and {len(differing) - SHOWN} more" if len(differing) > SHOWN else ""
            then, threads = None, packed.identity.get("threads", str(THREADS))
            if threads != str(THREADS) and any(line.startswith("threads: ") for line in differing):
                then = f"decompress it with the version that wrote it, and OMP_NUM_THREADS={threads:.4}"
            raise Undecodable(
                "expected the model that this was compressed with, got another model "
                f"({'; '.join(differing[:SHOWN])}{more})",
                then,
            )
    shares.total = sum(block.size for block in packed.blocks)
    return b"".join(_decode_block(lm, block, shares.next(block.size)) for block in packed.blocks)


class BlockProgress:
    """Progress by bytes of the data, from blocks that each report the share of the block that is done."""

    def __init__(self, progress: CodingProgress | None, stage: str, total: int) -> None:
        self.progress, self.stage, self.total, self.before = progress, stage, total, 0

    def next(self, size: int) -> adaptive.Tell:
        """Return the function to which the next block, of `size` bytes, reports its share."""
        before, progress = self.before, self.progress
        self.before += size
        if progress is None:
            return adaptive.silent
        return lambda share: progress(self.stage, (before + share * size) / max(self.total, 1))


def _decode_block(lm: LM | None, block: CodeBlock, tell: adaptive.Tell) -> bytes:
    if block.kind == "raw":
        data = block.code
    elif block.kind == "adaptive":
        # A small block must not claim enough data to fill memory.
        if block.size * adaptive.LEAST_COST > 8 * len(block.code) + 64:
            raise Undecodable(
                f"expected a block that its {len(block.code):,} bytes can stand for, got a block of {block.size:,} bytes",
                "copy the file again",
            )
        data = adaptive.decode(block.code, block.size, tell)
    else:
        assert lm is not None  # noqa: S101  (ours: `read_compressed` refuses such a block without an identity)
        data = _decode_tokens(lm, block, tell)
    if len(data) != block.size or hash_block(data) != block.data_hash:
        raise Undecodable(
            "expected to decode the data that was compressed, got other data, since this model's numbers differ from the "
            "numbers at compression",
            "use the same model, machine and libraries",
        )
    return data


def _decode_tokens(lm: LM, block: CodeBlock, tell: adaptive.Tell) -> bytes:
    if len(block.code) % 4:
        raise Undecodable(
            f"expected a code in words of 32 bits, got {len(block.code):,} bytes", "copy the file again"
        )
    try:
        path = parallel_streams.decode(lm, block.code, block.tokens, block.streams, tell)
        return lm.vocab.decode([int(i) for i in path if i != lm.vocab.end])
    except Undecodable:
        raise
    except PofxError as e:
        raise Undecodable(
            f"expected the code of a text, got a code that this model cannot follow: {e.subject}", e.advice
        ) from None
