"""A transformer as an LM: p(x) = Π_i p(x_i | the window of x0 … x_{i−1}), by a plain Qwen3 decoder."""
# ruff: noqa: E402  (the missing extra is to be named before torch is imported)

from __future__ import annotations

from collections.abc import Iterator, Sequence

from pofx.algorithms.byte_ranges import spread_ranges
from pofx.errors import require

require("torch", "torch", "a transformer")

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from pofx.files.reading_tape import Arrays, read_once
from pofx.lm.begin import Begin, refuse_unconditional
from pofx.lm.model import LM, prepare_paths
from pofx.lm.paths import as_id_rows
from pofx.lm.reading_progress import report_read, report_recalled
from pofx.lm.state import State
from pofx.lm.trace import Ints, Path, Trace, TraceBuilder, Want
from pofx.models.specs import TransformerSpec
from pofx.models.threads import engine_for, threads_for
from pofx.models.transformer.attention import PackedLayout
from pofx.models.transformer.cache import KeyValueCache, extend_cache
from pofx.models.transformer.learning_curve import LearningCurve
from pofx.models.transformer.net import Net, Shape
from pofx.models.transformer.shared_prefixes import PrefixedBatch, group_by_prefix, prefixed_batches
from pofx.models.transformer.windows import (
    Batch,
    Pieces,
    context_lengths,
    default_overlap,
    window_rule,
)
from pofx.values import check_ids
from pofx.vocab.vocabulary import BEGIN_TEXT, Vocab

CHUNK_BYTES = 1 << 26  # bytes of logits that are held at a time
TOKENS = 2048  # tokens of a batch of `forward`: 1,024 to 8,192 are equally fast, and small batches stay in the cache


def hidden_width(width: int) -> int:
    """Return the inner width of SwiGLU: 8/3 of the width, as many weights as in a plain MLP, rounded to 32s."""
    return max(32, round(width * 8 / 3 / 32) * 32)


def shape_of(spec: TransformerSpec, vocab: Vocab) -> Shape:
    """Return the sizes of the network of a spec; x0, if there is one, has the row after the vocabulary."""
    rows = vocab.size + spec.begin
    return Shape(rows, spec.width, spec.layers, spec.heads, hidden_width(spec.width), spec.context, spec.tie)


def build(spec: TransformerSpec, vocab: Vocab) -> Net:
    """Build a network before training, by the seed of the spec; untied, it gives every outcome 1/V.

    Output projections and the head are zero. The other matrices are normal with variance 1/width. The embedding has variance
    1; tied, where the embedding is the head, too, it has variance 1/width.
    """
    net = Net(shape_of(spec, vocab))
    draw = torch.Generator().manual_seed(spec.seed)
    small = spec.width**-0.5
    with torch.no_grad():
        net.embed.normal_(0.0, small if spec.tie else 1.0, generator=draw)
        for name, p in net.named_parameters():
            if name.endswith((".qkv", ".gate_up")):
                p.normal_(0.0, small, generator=draw)
    return net


class TransformerLM(LM):
    """A transformer over a vocabulary, which `fit` or `load` returns.

        log p(x) = Σ_i log softmax(W h(window before i))[x_i]

    The softmax is over the V outcomes. x0 is row V of the embedding and no outcome, so its probability is exactly zero.
    Texts longer than `context` are read in windows (see `window`), so p is a distribution over strings of any length.

    Args:
        net: The network.
        vocab: The vocabulary.
        begin: Whether the model has an x0.
        overlap: How many tokens each window re-reads; an eighth of the context by default.
        learning_curve: The losses of the fit that made the network; None for a model that was loaded.

    Right: `lm.forward([vocab.encode("a text") + [vocab.end]])`. Wrong: a path that begins with x0.
    """

    def __init__(
        self,
        net: Net,
        vocab: Vocab,
        *,
        begin: bool = True,
        overlap: int | None = None,
        learning_curve: LearningCurve | None = None,
    ) -> None:
        shape = net.shape
        assert shape.rows == vocab.size + begin  # noqa: S101  (ours: checked where files are read)
        self.net = net.requires_grad_(False).eval()
        self.vocab = vocab
        self.learning_curve = learning_curve
        self.context = shape.context
        self.overlap = default_overlap(shape.context) if overlap is None else overlap
        assert 0 < self.overlap < shape.context  # noqa: S101
        self.begin = Begin("trained", BEGIN_TEXT, vocab.size) if begin else Begin("none")
        self.window = window_rule(shape.context, self.overlap)
        self.dtype = "float32"
        self.positive = True
        self.work = sum(p.numel() for p in net.parameters())
        self.engine = engine_for(shape.width)

    def start(self, n: int) -> State:
        """Return the state of `n` empty prefixes after x0; without x0, reading its `logp` raises `NoBOS`."""
        cache = KeyValueCache.empty(self.net, 1)
        if self.begin.id is not None:
            cache = extend_cache(self.net, cache, np.array([[self.begin.id]]), self.overlap)
        return self._state(cache.take(np.zeros(n, dtype=np.int64)))

    def extend(self, state: State, ids: Sequence[Sequence[int]] | Ints) -> State:
        """Return the state of each prefix followed by its row of `ids[n, t]`; keys and values of the prefixes are kept."""
        new = as_id_rows(ids, state.n)
        if not new.size:
            return state
        check_ids(new, self.vocab.size)
        assert isinstance(state.carry, KeyValueCache)  # noqa: S101  (ours: a state of this model)
        with threads_for(self.net.shape.width):
            return self._state(extend_cache(self.net, state.carry, new, self.overlap))

    def forward(
        self,
        paths: Sequence[Path],
        want: Want = Want(),
        skip: int | Sequence[int] = 0,
    ) -> Trace:
        """Compute `LM.forward` by packed batches without padding, with logits in chunks.

        A prefix that several paths share, and that is skipped, is read once (`group_by_prefix`).
        """
        ids, skips = prepare_paths(self, paths, skip)
        lead = [] if self.begin.id is None else [self.begin.id]
        out = TraceBuilder([len(p) - s for p, s in zip(ids, skips)], want, self.vocab.end)
        # Target i of a path is predicted by input i (after x0), or by input i − 1.
        first = [s - 1 + len(lead) for s in skips]
        sequences = [np.concatenate([np.array(lead, dtype=np.int64), p]) for p in ids]
        pieces = Pieces(sequences, self.context or 0, self.overlap, first)
        offsets = np.array([out.offset(i) - first[i] for i in range(len(ids))], dtype=np.int64)

        def places(group: Ints) -> Ints:
            owner = pieces.owner[group]
            begins = pieces.fresh[group] + offsets[owner] - pieces.base[owner]
            return spread_ranges(begins, pieces.stop[group] - pieces.fresh[group])

        shared, alone = group_by_prefix(pieces)

        def batches() -> Iterator[tuple[Ints, tuple[object, ...], Batch | PrefixedBatch]]:
            """Yield each batch after its places, and the parts by which a tape knows it."""
            for group in pieces.groups(alone[np.argsort(-pieces.lengths[alone], kind="stable")], TOKENS):
                one = pieces.pack(group)
                yield places(group), ("batch", one.inputs, one.lengths, one.asked, one.targets), one
            for same in shared:
                for some in prefixed_batches(self.net, pieces, same, TOKENS):
                    named = ("behind", some.lead, some.ids, some.lengths, some.targets)
                    yield places(some.pieces), named, some

        done = 0
        with threads_for(self.net.shape.width):
            for at, (kind, *parts), batch in batches():
                asked = (kind, *want.key, *parts)
                found, known = read_once(asked, lambda b=batch, at=at: self._read(b, at, out, want))  # type: ignore[misc]
                out.put(at, found)
                done += len(batch.targets)
                (report_recalled if known else report_read)(done, pieces.targets)
        return out.build()

    def seen(self, n: int) -> Ints:
        """Return the effective context by the window rule: the inputs of the window so far, with x0 in the first window."""
        lead = int(self.begin.id is not None)
        inputs = context_lengths(max(n - 1 + lead, 0), self.context or 0, self.overlap)
        return np.concatenate([np.zeros(n - len(inputs), dtype=np.int64), inputs])

    def logits(self, hidden: Tensor) -> Tensor:
        """Compute the logits W h of the V outcomes, without x0: `[n, d]` to `[n, V]`."""
        return F.linear(hidden, self.net.head[: self.vocab.size])

    @torch.inference_mode()
    def hidden(self, batch: Batch) -> Tensor:
        """Compute the final hidden states `[M, d]` of the inputs that predict a target."""
        return self.net.forward(
            torch.from_numpy(batch.inputs),
            PackedLayout(batch.lengths, self.net.shape.head_dim),
            torch.from_numpy(batch.asked),
        )

    def _read(self, batch: Batch | PrefixedBatch, at: Ints, out: TraceBuilder, want: Want) -> Arrays:
        """Read a batch, write its values to `out`, and return them."""
        hidden = batch.hidden() if isinstance(batch, PrefixedBatch) else self.hidden(batch)
        self._trace(hidden, batch.targets, at, out, want)
        return out.values_at(at)

    @torch.inference_mode()
    def _trace(self, hidden: Tensor, targets: Ints, at: Ints, out: TraceBuilder, want: Want) -> None:
        rows = max(1, CHUNK_BYTES // (4 * self.vocab.size))
        for lo in range(0, len(hidden), rows):
            now, theirs = at[lo : lo + rows], targets[lo : lo + rows]
            z = self.logits(hidden[lo : lo + rows])
            total = torch.logsumexp(z, dim=-1, keepdim=True)
            if want.rows:
                out.put_distributions(now, z.sub_(total).numpy(), theirs)
            else:
                target = z.gather(1, torch.from_numpy(theirs)[:, None]) - total
                out.logp[now] = target[:, 0].double().numpy()

    def _state(self, cache: KeyValueCache) -> State:
        def logp() -> np.ndarray[tuple[int, ...], np.dtype[np.float32]]:
            if (cache.length == 0).any():
                raise refuse_unconditional(self.begin)
            with torch.inference_mode():
                out: np.ndarray[tuple[int, ...], np.dtype[np.float32]] = torch.log_softmax(
                    self.logits(cache.hidden), dim=-1
                ).numpy()
            return out

        return State(logp, cache, len(cache.length))
