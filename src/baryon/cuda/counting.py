"""Launches of histograms."""

from __future__ import annotations

import math

import numpy as np

from ..dtypes import is_float
from .launch import TYPES, blocks, dense, kernel_of, launch, output
from .registry import kernel


@kernel("_histogram")
def histogram(xp, data, bins=None, *, bin_cnt, range):  # noqa: A002
    """See the operator; edges that do not ascend are not told."""
    if np.dtype(data.dtype) not in TYPES:
        return NotImplemented
    low, high = (-math.inf, math.inf) if bins is not None else range
    edges = bins if bins is not None else xp.linspace(low, high, bin_cnt + 1)
    if bins is None and not is_float(data.dtype):
        edges = xp.trunc(edges)
    counts = output(xp, (edges.size - 1,), np.dtype(np.int64))
    counts.fill(0)
    if data.size:
        given = dense(xp, data), dense(xp, edges.astype(np.float64)), counts
        sizes = np.int64(data.size), np.int64(counts.size), np.float64(low), np.float64(high)
        run = kernel_of(xp, "counting", "count_in_bins", T=np.dtype(data.dtype))
        launch(run, blocks(data.size), 256, *given, *sizes)
    return counts, edges
