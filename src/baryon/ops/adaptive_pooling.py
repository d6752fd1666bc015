"""Means over windows that spread evenly to a given output size."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..base import MXNetError
from .attrs import Attrs, Shape
from .device import fixed
from .op import op
from .rules import unify
from .samples import normal
from .windows import widened


def _sizes(output_size: tuple[int, ...]) -> tuple[int, int]:
    """Rows and columns of the output: one number serves both, none or three mean a global mean."""
    if len(output_size) in (1, 2):
        rows, columns = output_size[0], output_size[-1]
        if rows < 1 or columns < 1:
            raise MXNetError(f"output_size {output_size} must be positive")
        return rows, columns
    return 1, 1


def _shapes(attrs: Attrs, ins: list, outs: list) -> tuple[list, list]:
    data = ins[0]
    sizes = _sizes(attrs.output_size)
    if data is None:
        return ins, outs
    if len(data) != 4:
        raise MXNetError(f"data has {len(data)} axes, expected 4")
    out = unify(outs[0], (*data[:2], *sizes))
    return [(*out[:2], *data[2:])], [out]


def _averages(xp: Any, size: int, count: int, dtype: Any) -> Any:
    """The matrix ``(count, size)`` whose rows average the windows of one axis."""
    begin = np.arange(count) * size // count
    end = -(-(np.arange(count) + 1) * size // count)
    place = np.arange(size)
    inside = (place >= begin[:, None]) & (place < end[:, None])
    return fixed(xp, (inside / inside.sum(1, keepdims=True)).astype(dtype))


@op("_contrib_AdaptiveAvgPooling2D", shape=_shapes)
def adaptive_avg_pooling(xp: Any, data: Any, *, output_size: Shape = ()) -> Any:
    """Means of ``(batch, channel, height, width)`` data over `output_size` windows.

    Window i of m over n places covers ``floor(i n / m)`` up to ``ceil((i + 1) n / m)``. One number
    gives a square; empty gives the global mean. Source: MXNet operator
    contrib.AdaptiveAvgPooling2D.

    >>> x = mx.nd.array([[[[1, 2, 3, 4]]]])
    >>> mx.nd.contrib.AdaptiveAvgPooling2D(x, output_size=(1, 2)).asnumpy()
    array([[[[1.5, 3.5]]]], dtype=float32)
    """
    wide = widened(data)
    rows, columns = _sizes(output_size)
    down = _averages(xp, data.shape[2], rows, wide.dtype)
    across = _averages(xp, data.shape[3], columns, wide.dtype)
    return xp.matmul(xp.matmul(down, wide), across.T)


@op("_backward_AdaptiveAvgPooling2D", shape=lambda attrs, ins, outs: (ins, [attrs.shape]))
def backward_adaptive(xp: Any, head: Any, *, shape: Shape) -> Any:
    """Gradient of AdaptiveAvgPooling2D by its data, whose shape is `shape`."""
    wide = widened(head)
    down = _averages(xp, shape[2], head.shape[2], wide.dtype)
    across = _averages(xp, shape[3], head.shape[3], wide.dtype)
    return xp.matmul(xp.matmul(down.T, wide), across)


@adaptive_avg_pooling.gradient("data")
def _(dy: Any, data: Any) -> Any:
    return backward_adaptive(dy, shape=data.shape)


@backward_adaptive.gradient("head")
def _(dy: Any, head: Any) -> Any:
    return adaptive_avg_pooling(dy, output_size=head.shape[2:])


adaptive_avg_pooling.sample(data=normal(1, 2, 6, 7), output_size=(3, 2))
adaptive_avg_pooling.sample(data=normal(2, 2, 5, 5))
backward_adaptive.sample(head=normal(1, 2, 3, 2), shape=(1, 2, 6, 7))
