"""Sliding windows over the spatial axes: what convolution, deconvolution and pooling share.

Everything here works channels first, ``(batch, channel, *spatial)``; `channels_first` and
`channels_last` carry other layouts to and fro.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import product
from typing import Any, NamedTuple

import numpy as np

from ..base import MXNetError
from ..dtypes import is_float
from .rules import ShapeLike

LAYOUTS = {"NCW": 1, "NCHW": 2, "NCDHW": 3, "NWC": 1, "NHWC": 2, "NDHWC": 3}


class Window(NamedTuple):
    """Kernel, stride, dilation and padding, one entry a spatial axis."""

    kernel: tuple[int, ...]
    stride: tuple[int, ...]
    dilate: tuple[int, ...]
    pad: tuple[int, ...]

    @property
    def reach(self) -> tuple[int, ...]:
        """Extent of the dilated kernel."""
        return tuple(d * (k - 1) + 1 for k, d in zip(self.kernel, self.dilate, strict=True))

    def slices(self, out: Sequence[int]) -> Any:
        """For every kernel position, the padded input that it meets: ``(position, slices)``."""
        for at in product(*map(range, self.kernel)):
            yield (
                at,
                tuple(
                    slice(a * d, a * d + (o - 1) * s + 1, s)
                    for a, d, o, s in zip(at, self.dilate, out, self.stride, strict=True)
                ),
            )


def _filled(name: str, values: Sequence[int] | None, rank: int, default: int, low: int) -> tuple:
    values = tuple(values or ()) or (default,) * rank
    if len(values) != rank:
        raise MXNetError(f"{name} {values} must have {rank} entries, as many as kernel")
    if any(v is None or v < low for v in values):
        raise MXNetError(f"{name} {values} must not be less than {low}")
    return values


def window(
    kernel: Sequence[int],
    stride: Sequence[int] | None = (),
    dilate: Sequence[int] | None = (),
    pad: Sequence[int] | None = (),
) -> Window:
    """A `Window` with MXNet's defaults filled in; MXNetError for a wrong length or sign."""
    rank = len(kernel)
    if not 1 <= rank <= 3:
        raise MXNetError(f"kernel {tuple(kernel)} must have 1, 2 or 3 entries")
    return Window(
        _filled("kernel", kernel, rank, 1, 1),
        _filled("stride", stride, rank, 1, 1),
        _filled("dilate", dilate, rank, 1, 1),
        _filled("pad", pad, rank, 0, 0),
    )


# ---- layouts -----------------------------------------------------------------------------------


def is_channels_last(layout: str | None) -> bool:
    """Whether a layout such as ``"NHWC"`` keeps the channels on the last axis."""
    return layout is not None and layout.endswith("C")


def check_layout(layout: str | None, rank: int) -> None:
    """MXNetError unless the layout has `rank` spatial axes."""
    if layout is not None and LAYOUTS[layout] != rank:
        raise MXNetError(f"layout {layout} does not fit a kernel with {rank} axes")


def shape_first(shape: ShapeLike, layout: str | None) -> ShapeLike:
    """A shape of `layout` with its channels on axis 1 (weights likewise)."""
    if shape is None or not is_channels_last(layout):
        return shape
    return (shape[0], shape[-1], *shape[1:-1])


def shape_last(shape: ShapeLike, layout: str | None) -> ShapeLike:
    """The inverse of `shape_first`."""
    if shape is None or not is_channels_last(layout):
        return shape
    return (shape[0], *shape[2:], shape[1])


def channels_first(xp: Any, array: Any, layout: str | None) -> Any:
    """An array of `layout` with its channels on axis 1 (weights likewise)."""
    return xp.moveaxis(array, -1, 1) if is_channels_last(layout) else array


def channels_last(xp: Any, array: Any, layout: str | None) -> Any:
    """The inverse of `channels_first`."""
    return xp.moveaxis(array, 1, -1) if is_channels_last(layout) else array


# ---- arrays ------------------------------------------------------------------------------------


def widened(array: Any) -> Any:
    """The array in the type its sums are computed in: float32 for the two half precisions."""
    return array.astype(np.float32) if is_float(array.dtype) and array.itemsize == 2 else array


def padded(xp: Any, array: Any, win: Window, out: Sequence[int], fill: Any = 0) -> Any:
    """The array with its padding, more at the end where `out` windows need it."""
    widths = [(0, 0), (0, 0)]
    for n, o, s, p, r in zip(array.shape[2:], out, win.stride, win.pad, win.reach, strict=True):
        widths.append((p, max(p, (o - 1) * s + r - n - p)))
    return xp.pad(array, widths, constant_values=fill)


def patches(xp: Any, array: Any, win: Window, out: Sequence[int], fill: Any = 0) -> Any:
    """All windows, ``(batch, channel, *kernel, *out)``."""
    array = padded(xp, array, win, out, fill)
    result = xp.empty((*array.shape[:2], *win.kernel, *out), array.dtype)
    for at, where in win.slices(out):
        result[(slice(None), slice(None), *at)] = array[(slice(None), slice(None), *where)]
    return result


def folded(xp: Any, columns: Any, win: Window, shape: Sequence[int]) -> Any:
    """The adjoint of `patches`: windows added up into an array of `shape`."""
    rank = len(win.kernel)
    out = columns.shape[2 + rank :]
    size = [
        max((o - 1) * s + r, n + p)
        for n, o, s, p, r in zip(shape[2:], out, win.stride, win.pad, win.reach, strict=True)
    ]
    total = xp.zeros((*shape[:2], *size), columns.dtype)
    for at, where in win.slices(out):
        total[(slice(None), slice(None), *where)] += columns[(slice(None), slice(None), *at)]
    inside = (slice(p, p + n) for n, p in zip(shape[2:], win.pad, strict=True))
    return total[(slice(None), slice(None), *inside)]
