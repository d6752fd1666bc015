"""How much of a tensor's range eight bits should stand for.

Source: Migacz, "8-bit inference with TensorRT", GTC 2017; MXNet operator contrib.calibrate_entropy.
"""

from __future__ import annotations

import numpy as np

from ..base import MXNetError
from .attrs import Attrs
from .op import op
from .rules import output_dtype, unify
from .samples import constant

_FLOOR = 1e-4  # of a probability, so that divergences are finite


def _shapes(attrs: Attrs, ins: list, outs: list) -> tuple[list, list]:
    hist, edges = ins
    if attrs.num_quantized_bins < 3 or attrs.num_quantized_bins % 2 == 0:
        raise MXNetError(f"num_quantized_bins is {attrs.num_quantized_bins}, expected 3, 5, 7, …")
    if hist is not None and hist != (-1,):
        if len(hist) != 1 or hist[0] < attrs.num_quantized_bins:
            raise MXNetError(f"hist has shape {hist}, expected num_quantized_bins or more bins")
        edges = unify(edges, (hist[0] + 1,))
    return [hist, edges], [(1,), (1,)]


def _spread(counts: np.ndarray, groups: int) -> np.ndarray:
    """The mean count of the bins that are not empty, for each bin the mean of its group."""
    width = len(counts) // groups
    starts = np.arange(groups) * width
    total = np.add.reduceat(counts, starts)
    filled = np.add.reduceat(counts != 0, starts, dtype=np.int64)
    lengths = np.full(groups, width)
    lengths[-1] += len(counts) - groups * width
    return np.repeat(total / np.maximum(filled, 1), lengths)


def _floored(counts: np.ndarray) -> np.ndarray | None:
    """Counts with nothing at 0: what that adds is taken from the others; None if they cannot."""
    empty = counts == 0
    none = np.count_nonzero(empty)
    if none == len(counts):
        return None
    taken = _FLOOR * none / (len(counts) - none)
    if taken >= 1:
        return None
    found = counts - taken
    found[empty] = _FLOOR
    return found


def _divergence(p: np.ndarray, q: np.ndarray) -> float:
    """Kullback and Leibler's divergence of two histograms."""
    total = p.sum()
    return float(p @ np.log(p / q) / total + np.log(q.sum() / total))


def _best(hist: np.ndarray, edges: np.ndarray, groups: int) -> tuple[float, float]:
    middle, half = len(hist) // 2, groups // 2
    below, total = np.concatenate([[0], np.cumsum(hist)]), hist.sum()
    best = (float(edges[-1]), np.inf)
    for reach in range(half, middle + 1):
        start, stop = middle - reach, min(middle + reach + 1, len(hist))
        clipped, merged = hist[start:stop].copy(), hist[start:stop].copy()
        clipped[0] += below[start]
        clipped[-1] += total - below[stop]
        merged[0] = 0  # MXNet's arithmetic; it makes wide cuts a little dearer
        quantized = _spread(merged, groups)
        quantized[clipped == 0] = 0
        p, q = _floored(clipped), _floored(quantized)
        found = np.inf if p is None or q is None else _divergence(p, q)
        if found < best[1]:
            best = (float(edges[stop]), found)
    return best


@op(
    "_contrib_calibrate_entropy",
    shape=_shapes,
    dtype=output_dtype("float32"),
    outputs=("threshold", "divergence"),
    host=True,
)
def calibrate_entropy(xp, hist, hist_edges, *, num_quantized_bins: int = 255):
    """The magnitude beyond which a tensor is best cut before it is quantized, and the loss then.

    hist : (bins,), how often values fall between hist_edges (bins + 1,), symmetric about 0. Of all
    cuts the one is taken whose histogram of `num_quantized_bins` bins diverges least (Kullback
    and Leibler) from that of the values. It runs on the CPU only.

    >>> hist, edges = np.histogram([-1, 0, 0, 0, 0, 0, 0.1, -0.1, 1], bins=9, range=(-1, 1))
    >>> cut, loss = mx.nd.contrib.calibrate_entropy(
    ...     mx.nd.array(hist), mx.nd.array(edges), num_quantized_bins=3)
    >>> cut.shape, loss.shape
    ((1,), (1,))
    """
    threshold, divergence = _best(
        hist.astype(np.float64), hist_edges.astype(np.float64), num_quantized_bins
    )
    return xp.asarray([threshold]), xp.asarray([divergence])


calibrate_entropy.sample(
    hist=constant([1.0, 0, 3, 5, 9, 20, 8, 6, 2, 1, 1]),
    hist_edges=constant(np.linspace(-1, 1, 12)),
    num_quantized_bins=5,
)
