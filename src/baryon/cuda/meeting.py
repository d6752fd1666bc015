"""Sums to which many threads add in one place, and which do not depend on their order."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import prod
from typing import Any

import numpy as np

from .launch import blocks, kernel_of, launch, output


def met(
    xp: Any,
    shape: Sequence[int],
    dtype: Any,
    group: int,
    count: int,
    add: Callable[[np.ndarray, np.int32], None],
) -> Any:
    """The sums of what kernels add to places of an array, ``Meeting`` in ``common.cuh``.

    group : neighbouring places whose numbers share a unit.
    count : how many numbers meet in one place at most, each as large as those that were noted.
    add   : launches a kernel that takes a ``Meeting`` and, as int, whether to add or to note.
    """
    out, size = output(xp, shape, np.dtype(dtype)), prod(shape)
    if not size:
        return out
    tops, totals = xp.zeros(-(-size // group), np.int32), xp.zeros(size, np.int64)
    room = 62 - max(count, 1).bit_length()
    sums = np.array([tops.data.ptr, totals.data.ptr, group, room], np.int64)
    for adding in (0, 1):
        add(sums, np.int32(adding))
    run = kernel_of(xp, "meeting", "settle", T=out.dtype)
    launch(run, blocks(size), 256, sums, out, np.int64(size))
    return out
