"""Images brought to a given size by one matrix an axis."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

import numpy as np

from ..base import MXNetError
from .attrs import Attrs
from .numeric import widen
from .op import op
from .rules import known, unify
from .samples import normal

Mode = Literal[
    "like", "odd_scale", "size", "to_even_down", "to_even_up", "to_odd_down", "to_odd_up"
]


def _new_size(n: int, size: int, scale: float | None, mode: str) -> int:
    if mode == "size":
        return size if scale is None else int(np.float32(scale) * n)
    if mode == "odd_scale":
        factor = np.float32(1 if scale is None else scale)
        return int(n * factor) if n % 2 == 0 else int((n - 1) * factor) + 1
    odd = mode.startswith("to_odd")
    return n if n % 2 == odd else n + (1 if mode.endswith("up") else -1)


def _sizes(attrs: Any, data: Sequence[int], like: Sequence[int] | None) -> tuple[int, int]:
    if attrs["mode"] == "like":
        return tuple(like[2:])
    height = _new_size(data[2], attrs["height"], attrs["scale_height"], attrs["mode"])
    width = _new_size(data[3], attrs["width"], attrs["scale_width"], attrs["mode"])
    return height, width


def _resized(attrs: Attrs, ins: list, outs: list) -> tuple[list, list]:
    if attrs.height < 1 or attrs.width < 1:
        raise MXNetError(f"height {attrs.height} and width {attrs.width} must be positive")
    if not all(map(known, ins)):
        return ins, outs
    for name, shape in zip(("data", "like"), ins, strict=False):
        if len(shape) != 4:
            raise MXNetError(f"{name} has {len(shape)} axes, expected 4")
    sizes = _sizes(attrs, ins[0], ins[-1])
    if min(sizes) < 1 or min(ins[0][2:]) < 1:
        raise MXNetError(f"cannot resize {ins[0][2:]} to {sizes}")
    return ins, [unify((*ins[0][:2], *sizes), outs[0])]


def _matrix(xp: Any, n: int, out: int, align: bool, dtype: Any) -> Any:
    """(out, n): how much every input pixel counts for every output pixel, between two linearly."""
    step = 0.0
    if out > 1:
        step = (n - 1) / (out - 1) if align else n / out
    at = xp.arange(out) * step
    if not align:
        at = xp.maximum(at + 0.5 * step - 0.5, 0)
    low = xp.minimum(xp.floor(at).astype(np.int64), n - 1)
    part = at - low
    matrix = xp.zeros((out, n), dtype)
    rows = xp.arange(out)
    matrix[rows, low] = 1 - part
    matrix[rows, xp.minimum(low + 1, n - 1)] += part.astype(dtype)
    return matrix


def _matrices(xp: Any, size: Sequence[int], out: Sequence[int], align: bool, dtype: Any) -> list:
    return [_matrix(xp, n, o, align, dtype) for n, o in zip(size, out, strict=True)]


@op(
    "_contrib_BilinearResize2D",
    shape=_resized,
    present={"like": lambda a: a.mode == "like"},
)
def bilinear_resize(
    xp,
    data,
    like=None,
    *,
    height: int = 1,
    width: int = 1,
    scale_height: float | None = None,
    scale_width: float | None = None,
    mode: Mode = "size",
    align_corners: bool = True,
):
    """Images (batch, channel, height, width) resized between pixels bilinearly.

    `mode` chooses the new sizes: ``size`` is `height` and `width`, or sizes times `scale_height`
    and `scale_width`; ``odd_scale`` scales odd sizes to ``(n - 1) scale + 1``; ``like`` takes those
    of `like`; ``to_even_down`` and its kin the nearest size with that parity. With `align_corners`
    the outermost pixels keep their places, else pixels are areas. Source: MXNet operator
    BilinearResize2D.

    >>> x = mx.nd.array([[[[1, 3]]]])
    >>> mx.nd.contrib.BilinearResize2D(x, height=1, width=3).asnumpy()[0, 0]
    array([[1., 2., 3.]], dtype=float32)
    """
    attrs = {"height": height, "width": width, "scale_height": scale_height}
    attrs |= {"scale_width": scale_width, "mode": mode}
    out = _sizes(attrs, data.shape, None if like is None else like.shape)
    data = widen(xp, data)
    down, across = _matrices(xp, data.shape[2:], out, align_corners, data.dtype)
    return down @ (data @ across.T)


@op(
    "_backward_BilinearResize2D",
    shape=lambda a, ins, outs: (ins, [(*ins[0][:2], a.height, a.width)]),
)
def backward_resize(xp, dy, *, height: int, width: int, align_corners: bool):
    """Gradient of `bilinear_resize` by images of size (height, width)."""
    dy = widen(xp, dy)
    down, across = _matrices(xp, (height, width), dy.shape[2:], align_corners, dy.dtype)
    return down.T @ (dy @ across)


@bilinear_resize.gradient("data")
def _(dy, data, align_corners):
    height, width = data.shape[2:]
    return backward_resize(dy, height=height, width=width, align_corners=align_corners)


@backward_resize.gradient("dy")
def _(d_output, dy, align_corners):
    height, width = dy.shape[2:]
    return bilinear_resize(d_output, height=height, width=width, align_corners=align_corners)


bilinear_resize.sample(data=normal(1, 2, 4, 5), height=6, width=3)
bilinear_resize.sample(data=normal(1, 2, 4, 5), height=8, width=10, align_corners=False)
bilinear_resize.sample(data=normal(2, 1, 5, 4), scale_height=0.5, scale_width=1.5, mode="odd_scale")
bilinear_resize.sample(data=normal(1, 2, 4, 5), like=normal(1, 1, 6, 3), mode="like")
backward_resize.sample(dy=normal(1, 2, 3, 4), height=5, width=2, align_corners=True)
