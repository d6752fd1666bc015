"""Launches of pooling and its gradient."""

from __future__ import annotations

from typing import Any

import ml_dtypes
import numpy as np

from ..ops.attrs import Attrs
from ..ops.pooling import pool_window, pooled_shape
from ..ops.windows import Window, is_channels_last, shape_first
from .geometry import geometry, positions
from .launch import blocks, dense, kernel_of, launch, output
from .registry import kernel
from .rows import floating, wide

_KINDS = ("max", "avg", "sum", "lp")


class _Pool:
    """The geometry of one call and its launches."""

    def __init__(self, xp: Any, attrs: dict, shape: Any, out: Any, dtype: Any) -> None:
        self.xp, self.dtype, self.last = xp, dtype, is_channels_last(attrs["layout"])
        first, spatial_out = shape_first(shape, attrs["layout"]), shape_first(out, attrs["layout"])
        self.channels = first[1]
        win: Window = pool_window(attrs, first[2:])
        self.geometry = geometry(win, first[2:], spatial_out[2:])
        self.index = positions(int(np.prod(shape)), int(np.prod(out)))

    def run(self, name: str, arrays: tuple, count: int, *more: Any) -> None:
        """Launch over `count` elements."""
        number = self.index.type
        sizes = self.geometry, number(count), number(self.channels), np.int32(self.last)
        run = kernel_of(self.xp, "windows", name, T=self.dtype, I=self.index)
        launch(run, blocks(count), 256, *arrays, *sizes, *more)


def _least(dtype: Any) -> Any:
    """What a maximum starts from: the lowest finite number."""
    return wide(dtype)(ml_dtypes.finfo(dtype).min)


@kernel("Pooling")
def pooling(xp, data, *, pool_type, p_value, count_include_pad, **attrs):
    """See the operator."""
    if not floating(data) or not data.size:
        return NotImplemented
    given = Attrs(attrs, pool_type=pool_type, p_value=p_value)
    shape = pooled_shape(given, [data.shape], [None])[1][0]
    data, out = dense(xp, data), output(xp, shape, data.dtype)
    call = _Pool(xp, attrs, data.shape, shape, data.dtype)
    kind, counts = _KINDS.index(pool_type), count_include_pad is not False
    numbers = (np.int32(n) for n in (kind, counts, p_value or 0))
    call.run("pool", (data, out), out.size, *numbers, _least(data.dtype))
    return out


@kernel("_backward_Pooling")
def backward_pooling(xp, head, data=None, *, shape, pool_type, count_include_pad, v1, **attrs):
    """See the operator."""
    if v1 or not floating(head, data) or not head.size:
        return NotImplemented
    if data is not None and data.dtype != head.dtype:
        return NotImplemented
    head, data = dense(xp, head), dense(xp, data)
    dx, places = output(xp, shape, head.dtype), None
    call = _Pool(xp, attrs, shape, head.shape, head.dtype)
    if pool_type == "max":
        places = xp.empty(head.shape, np.int32)
        call.run("maxima", (data, places), head.size, _least(data.dtype))
    kind, counts = _KINDS.index(pool_type), count_include_pad is not False
    call.run("unpool", (head, places, dx), dx.size, np.int32(kind), np.int32(counts))
    return dx
