"""Prompts before draws: the memory of prefixes has the keys and values of their beginnings, and keeps those of the rest."""
# ruff: noqa: E402  (the missing extra is to be named before torch is imported)

from __future__ import annotations

from pofx.errors import require

require("torch", "hf", "a pretrained model")

import numpy as np
import torch
from torch import Tensor

from pofx.lm.prefix_memory import PrefixMemory
from pofx.lm.trace import Ints
from pofx.models.pretrained.inference.decoder import Decoder
from pofx.models.pretrained.inference.prefix_tree import WORTH
from pofx.models.pretrained.inference.prefixes import Prefixes, extend_prefixes
from pofx.models.pretrained.inference.recalled import TOP, PrefixStore


def extend_recalled(
    decoder: Decoder, store: PrefixStore, memory: PrefixMemory, prefixes: Prefixes, ids: Ints
) -> Prefixes:
    """Do as `extend_prefixes`, but take what the store has, compute equal prompts once, and keep what was computed.

    The last token of a prompt is computed always, since its hidden state gives the next-token distribution.

    Args:
        decoder: The decoder.
        store: The tokens that are known.
        memory: The memory of the store, which is told what was found.
        prefixes: Prefixes whose tokens are known (`Prefixes.ids`).
        ids: `[n, t]`, the tokens that follow each prefix.
    """
    assert prefixes.ids is not None  # noqa: S101  (ours: the caller has looked)
    before, t = prefixes.ids.shape[1], ids.shape[1]
    paths, first, back = np.unique(
        np.concatenate([prefixes.ids, ids], 1), axis=0, return_index=True, return_inverse=True
    )
    back = back.ravel()
    places = [_known(store, path.tolist()) for path in paths]
    found = np.array([min(max(len(p) - before, 0), t - 1) for p in places], dtype=np.int64)
    memory.observe(int((found[back] >= WORTH).sum()), int(found.sum()), int((t - found).sum()))
    parts, groups = [], []
    for n in np.unique(found).tolist():
        rows = np.flatnonzero(found == n)
        same = np.array_equal(first[rows], np.arange(len(ids)))
        some = prefixes if same else prefixes.take(first[rows])
        if n:
            known = np.array([places[row][before : before + n] for row in rows.tolist()])
            some = some.followed(_keys_values(store, known, some), paths[rows, : before + n])
        parts.append(extend_prefixes(decoder, some, paths[rows, before + n :]))
        groups.append(rows)
    every = parts[0].cat(parts[1:]) if len(parts) > 1 else parts[0]
    order = np.concatenate(groups)
    every.ids = paths[order]
    _keep(store, every, every.ids)
    at = np.argsort(order)[back]
    return every if np.array_equal(at, np.arange(len(order))) else every.take(at)


def _known(store: PrefixStore, path: list[int]) -> list[int]:
    """Return the places of the tokens with which a path begins, as far as their keys and values are there."""
    out: list[int] = []
    above = TOP
    for token in path:
        above = store.prefixes.find(above, token)
        if above < 0 or not store.complete[above]:
            break
        out.append(above)
    return out


def _keys_values(store: PrefixStore, places: Ints, prefixes: Prefixes) -> list[Tensor]:
    """Return the keys and values of the tokens at `places[n, u]`, `[2, n, K, u, D]` a layer."""
    _, _, heads, _, dim = prefixes.buffer.data[0].shape
    n, u = places.shape
    at = torch.from_numpy(places.ravel())
    found = (layer.index_select(0, at).view(n, u, 2, heads, dim) for layer in store.keys_values)
    return [layer.permute(2, 0, 3, 1, 4) for layer in found]


def _keep(store: PrefixStore, prefixes: Prefixes, paths: Ints) -> None:
    """Keep the keys and values of prefixes, whose tokens are `paths[n, T]`, as far as there is room."""
    for row, path in enumerate(paths.tolist()):
        places = _known(store, path)
        old = np.array(places, dtype=np.int64)
        above = places[-1] if places else TOP
        if len(places) == len(path) or store.prefixes.find(above, path[len(places)]) >= 0:
            store.prefixes.touch(old)  # nothing is new, or a paused computation will keep the next token
            continue
        store.prefixes.hold(old)
        store.forget(store.prefixes.free(len(path) - len(places)))
        store.prefixes.release(old)
        for depth in range(len(old), len(path)):
            above = store.prefixes.add(above, path[depth], depth)
            if above < 0:
                break
            places.append(above)
        new = np.array(places[len(old) :], dtype=np.int64)
        store.prefixes.touch(np.array(places, dtype=np.int64))
        at = torch.from_numpy(new)
        for kept, data in zip(store.keys_values, prefixes.buffer.data):
            computed = data[:, row, :, len(old) : len(places)].permute(2, 0, 1, 3)
            kept.index_copy_(0, at, computed.flatten(1))
        store.complete[new] = True
