"""Histograms."""

from __future__ import annotations

from collections.abc import Sequence
from math import isfinite
from typing import Any

import numpy as np

from ..base import MXNetError
from ..dtypes import is_float
from .attrs import Attrs, Floats
from .numeric import numeric
from .op import op
from .rules import forward
from .samples import constant, integers, normal


def _shapes(attrs: Attrs, data: Sequence[int], *bins: tuple[int, ...]) -> list:
    if bins:
        if len(bins[0]) != 1 or bins[0][0] < 2:
            raise MXNetError("bins must be a vector of at least two edges")
        return [(bins[0][0] - 1,), bins[0]]
    if attrs.range is None or len(attrs.range) != 2 or attrs.bin_cnt < 1:
        raise MXNetError("bin_cnt must be positive, and range two numbers")
    low, high = attrs.range
    if not (isfinite(low) and isfinite(high) and low < high):
        raise MXNetError(f"range {attrs.range} is empty")
    return [(attrs.bin_cnt,), (attrs.bin_cnt + 1,)]


def _dtypes(attrs: Attrs, ins: list, outs: list) -> tuple[list, list]:
    ins, _ = numeric(attrs, ins, [])
    return ins, [np.dtype("int64"), ins[-1]]


@op(
    "_histogram",
    aliases=("_npi_histogram",),
    outputs=("output0", "output1"),
    present={"bins": lambda a: a.bin_cnt is None},
    shape=forward(_shapes),
    dtype=_dtypes,
)
def histogram(
    xp: Any,
    data: Any,
    bins: Any = None,
    *,
    bin_cnt: int | None = None,
    range: Floats | None = None,
) -> Any:
    """How many elements of `data` lie in each bin (int64), and the edges of the bins.

    bins: ascending edges; or `bin_cnt` bins of one width over `range`. All bins but the last leave
    out their upper edge; what lies outside is not counted. Edges have the type of `data`, so that
    those of integers are cut to integers.  (MXNet operator ``_histogram``.)

    >>> x = mx.nd.array([0, 1, 1, 3])
    >>> counts, edges = mx.nd._internal._histogram(x, bin_cnt=3, range=(0, 3))
    >>> counts.asnumpy().tolist(), edges.asnumpy().tolist()
    ([1, 2, 1], [0.0, 1.0, 2.0, 3.0])
    """
    wide = data.astype(xp.float64)
    if bins is not None:
        return xp.histogram(wide, bins.astype(xp.float64))[0], bins
    if is_float(data.dtype):
        return xp.histogram(wide, bin_cnt, range)
    edges = xp.trunc(xp.linspace(*range, bin_cnt + 1))
    wide = wide[(wide >= range[0]) & (wide <= range[1])]
    return xp.histogram(wide, edges)[0], edges.astype(np.int64)


histogram.sample(data=normal(20), bin_cnt=4, range=(-2.0, 2.0), _grad=())
histogram.sample(data=integers(3, 4), bin_cnt=5, range=(0, 10), _grad=(), _dtypes=("int32",))
histogram.sample(data=normal(20), bins=constant([-1.0, 0.0, 0.5, 2.0]), _grad=())
