"""Launches of im2col and col2im."""

from __future__ import annotations

from math import prod
from typing import Any

from ..ops.columns import places
from ..ops.windows import Window, window
from .geometry import geometry, positions
from .launch import blocks, dense, kernel_of, launch, output
from .registry import kernel
from .rows import floating


def _run(xp: Any, name: str, source: Any, target: Any, win: Window, size: Any, out: Any) -> Any:
    index = positions(source.size, target.size)
    run = kernel_of(xp, "windows", name, T=source.dtype, I=index)
    sizes = geometry(win, size, out), index.type(target.size)
    if target.size:
        launch(run, blocks(target.size), 256, dense(xp, source), target, *sizes)
    return target


def to_columns(xp: Any, data: Any, win: Window, out: tuple[int, ...], into: Any = None) -> Any:
    """All windows of images, (batch, channel * prod(kernel), prod(out))."""
    shape = data.shape[0], data.shape[1] * prod(win.kernel), prod(out)
    into = xp.empty(shape, data.dtype) if into is None else into
    return _run(xp, "to_columns", data, into, win, data.shape[2:], out)


def from_columns(xp: Any, columns: Any, win: Window, out: tuple[int, ...], into: Any) -> Any:
    """The adjoint of `to_columns`: columns added up into images."""
    return _run(xp, "from_columns", columns, into, win, into.shape[2:], out)


@kernel("im2col")
def im2col(xp, data, *, kernel, stride, dilate, pad):
    """See the operator."""
    if not floating(data):
        return NotImplemented
    win = window(kernel, stride, dilate, pad)
    out = places(win, data.shape[2:])
    shape = data.shape[0], data.shape[1] * prod(win.kernel), prod(out)
    return to_columns(xp, data, win, out, output(xp, shape, data.dtype))


@kernel("col2im")
def col2im(xp, data, *, output_size, kernel, stride, dilate, pad):
    """See the operator."""
    if not floating(data):
        return NotImplemented
    win = window(kernel, stride, dilate, pad)
    shape = data.shape[0], data.shape[1] // prod(win.kernel), *output_size
    out = places(win, output_size)
    return from_columns(xp, data, win, out, output(xp, shape, data.dtype))
