"""The rows of stored matrices in the order of the decoder: queries, keys, values, halves that turn together, and gates."""
# ruff: noqa: E402  (the missing extra is to be named before torch is imported)

from __future__ import annotations

from pofx.errors import require

require("torch", "hf", "a pretrained model")

import torch
from torch import Tensor


def split_by_head(rows: Tensor, heads: int, kv_heads: int) -> tuple[Tensor, Tensor, Tensor]:
    """Return the rows of q, k and v of one tensor, in which the rows of each key head stand together.

    Args:
        rows: `[K·(G + 2)·D, …]`: for each of the K key heads, G query heads, a key head and a value head.
        heads: The number of query heads, K·G.
        kv_heads: The number K of key heads.

    Returns:
        q `[K·G·D, …]`, k and v `[K·D, …]`.
    """
    group = heads // kv_heads
    each = rows.view(kv_heads, group + 2, -1, *rows.shape[1:])
    q, k, v = each[:, :group], each[:, group], each[:, group + 1]
    return q.reshape(-1, *rows.shape[1:]), k.reshape(-1, *rows.shape[1:]), v.reshape(-1, *rows.shape[1:])


def split_in_turn(rows: Tensor, heads: int, kv_heads: int) -> tuple[Tensor, Tensor, Tensor]:
    """Return the rows of q, k and v of one tensor, which has all rows of q first, then those of k, then those of v.

    Args:
        rows: `[(K·G + 2·K)·D, …]`.
        heads: The number of query heads, K·G.
        kv_heads: The number K of key heads.

    Returns:
        q `[K·G·D, …]`, k and v `[K·D, …]`.
    """
    dim = len(rows) // (heads + 2 * kv_heads)
    stop = (heads + kv_heads) * dim
    return rows[: heads * dim], rows[heads * dim : stop], rows[stop:]


def turning_first(rows: Tensor, dim: int, turning: int, pairs: bool) -> Tensor:
    """Put the last `turning` rows of each head first, and return the same shape.

    Args:
        rows: The rows of queries, `[H·D, …]`.
        dim: The size D of a head.
        turning: How many numbers of a head turn.
        pairs: Whether the two numbers that turn together are neighbours, which are put half of `turning` apart.
    """
    heads = rows.view(-1, dim, *rows.shape[1:])
    turns, still = heads[:, dim - turning :], heads[:, : dim - turning]
    if pairs:
        turns = torch.cat([turns[:, 0::2], turns[:, 1::2]], 1)
    return torch.cat([turns, still], 1).reshape(rows.shape)


def halves_in_turn(rows: Tensor) -> Tensor:
    """Reorder rows of gate and up that alternate, `[2h, …]`, to all rows of gate, then all rows of up."""
    return torch.cat([rows[0::2], rows[1::2]])


def halves_of_pairs(rows: Tensor, dim: int, turning: int) -> Tensor:
    """Reorder the rows of each head from interleaved pairs to halves, and return the same shape.

    Before, the rows 2i and 2i + 1 of a head turn together; afterwards the rows i and i + turning/2. A product q·k is equal
    in any order of the numbers of a head, so after this step one rotation is right for all families.

    Args:
        rows: The rows of queries or keys, or their bias or gain, `[H·D, …]`.
        dim: The size D of a head.
        turning: How many numbers of a head turn, from its first on.
    """
    order = torch.cat([torch.arange(0, turning, 2), torch.arange(1, turning, 2), torch.arange(turning, dim)])
    return rows.view(-1, dim, *rows.shape[1:])[:, order].reshape(rows.shape)
