"""Launches of padding and its gradient."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ..ops.blocks import _pairs
from ..ops.device import fixed
from .launch import blocks, dense, kernel_of, launch, output, raw
from .registry import kernel
from .rows import floating

_AXES = 8
_MODES = ("constant", "edge", "reflect")
_PADDING = np.dtype(
    [(name, np.int64, _AXES) for name in ("size", "before", "after")] + [("mode", np.int32)],
    align=True,
)


def _padding(shape: Sequence[int], pairs: Sequence[tuple[int, int]], mode: str) -> np.ndarray:
    """``Padding`` of ``padding.cu``: an array of `shape` and what is around it."""
    made, missing = np.zeros(1, _PADDING), _AXES - len(shape)
    made["size"] = 1
    made["size"][0, missing:] = shape
    made["before"][0, missing:], made["after"][0, missing:] = zip(*pairs, strict=True)
    made["mode"] = _MODES.index(mode)
    return made


@kernel("Pad")
def pad(xp, data, *, mode, pad_width, constant_value):
    """See the operator."""
    moved = raw(dense(xp, data))
    if not 0 < data.ndim <= _AXES or not data.size or moved is None:
        return NotImplemented
    pairs = _pairs(pad_width, data.ndim)
    shape = [b + n + a for (b, a), n in zip(pairs, data.shape, strict=True)]
    out, value = output(xp, shape, data.dtype), raw(fixed(xp, constant_value, data.dtype))
    run = kernel_of(xp, "padding", "pad", T=np.dtype(moved.dtype))
    given = moved, value, raw(out), _padding(data.shape, pairs, mode), np.int64(out.size)
    launch(run, blocks(out.size), 256, *given)
    return out


@kernel("_backward_Pad")
def unpad(xp, dy, *, mode, pad_width):
    """See the operator."""
    if not floating(dy) or not 0 < dy.ndim <= _AXES or not dy.size:
        return NotImplemented
    pairs = _pairs(pad_width, dy.ndim)
    shape = [n - b - a for (b, a), n in zip(pairs, dy.shape, strict=True)]
    dx = output(xp, shape, dy.dtype)
    if dx.size:
        run = kernel_of(xp, "padding", "unpad", T=np.dtype(dy.dtype))
        given = dense(xp, dy), dx, _padding(shape, pairs, mode), np.int64(dx.size)
        launch(run, blocks(dx.size), 256, *given)
    return dx
