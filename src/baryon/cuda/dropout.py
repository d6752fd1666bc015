"""Launches of dropout."""

from __future__ import annotations

from typing import Any

import numpy as np

from .launch import blocks, dense, kernel_of, launch, output
from .registry import kernel
from .rows import floating, wide


@kernel("Dropout")
def dropout(xp, data, *, p, mode, axes, cudnn_off, train, rng):
    """See the operator; a mask that is shared along `axes` is left to its body."""
    if axes or not floating(data) or p <= 0 or not (train or mode == "always"):
        return NotImplemented
    if not data.size:
        return NotImplemented
    data = dense(xp, data)
    out, mask = (output(xp, data.shape, data.dtype) for _ in range(2))
    keep = 1.0 - p
    scale = wide(data.dtype)(1 / keep if keep > 0 else 0.0)
    generator, advance = rng.drawn_by_kernel(data.size)
    run = kernel_of(xp, "random", "dropout", T=data.dtype)
    numbers: tuple[Any, ...] = np.int64(data.size), np.float32(keep), scale
    launch(run, blocks(-(-data.size // 4)), 256, data, out, mask, generator, advance, *numbers)
    return out, mask
