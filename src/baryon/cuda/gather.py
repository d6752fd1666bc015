"""Launches of take, Embedding and their gradient."""

from __future__ import annotations

from math import prod
from typing import Any

import numpy as np

from .launch import TYPES, blocks, dense, kernel_of, launch, output, raw, width
from .meeting import met
from .registry import kernel
from .rows import floating


def _split(shape: tuple[int, ...], axis: int) -> tuple[int, int, int]:
    axis %= len(shape)
    return prod(shape[:axis]), shape[axis], prod(shape[axis + 1 :])


def _served(indices: Any, mode: str) -> bool:
    return mode != "raise" and np.dtype(indices.dtype) in TYPES


def _run(
    xp: Any, name: str, data: Any, indices: Any, split: tuple, mode: str, *targets: Any
) -> None:
    outer, rows, inner = split
    each = width(data, *targets, along=inner) if name == "take" else 1
    settings = {"T": data.dtype, "N": indices.dtype, "WIDTH": each, "WRAP": mode == "wrap"}
    run = kernel_of(xp, "gather", name, **settings)
    threads = min(128, 32 * max(1, -(-inner // (each * 32))))
    sizes = (np.int64(n) for n in (outer, rows, indices.size, inner))
    grid = blocks(outer * indices.size, 256 // threads)
    launch(run, grid, (threads, 256 // threads), data, dense(xp, indices), *targets, *sizes)


@kernel("take")
def take(xp, a, indices, *, axis, mode):
    """See the operator."""
    data = raw(dense(xp, a))
    if not _served(indices, mode) or data is None:
        return NotImplemented
    axis %= a.ndim
    out = output(xp, (*a.shape[:axis], *indices.shape, *a.shape[axis + 1 :]), a.dtype)
    if out.size:
        _run(xp, "take", data, indices, _split(a.shape, axis), mode, raw(out))
    return out


@kernel("Embedding")
def embedding(xp, data, weight, *, input_dim, output_dim, dtype, sparse_grad):
    """See the operator."""
    return take(xp, weight, data, axis=0, mode="clip")


@kernel("_backward_take")
def take_gradient(xp, dy, indices, *, shape, axis, mode, sparse):
    """See the operator."""
    if sparse or not floating(dy) or not _served(indices, mode):
        return NotImplemented
    data, split = dense(xp, dy), _split(shape, axis)

    def add(*sums: Any) -> None:
        if dy.size:
            _run(xp, "add_rows", data, indices, split, mode, *sums)

    return met(xp, shape, dy.dtype, split[2], indices.size, add)
