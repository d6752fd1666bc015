"""The windows of images as columns of a matrix, and columns added back up into images."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod
from typing import Any

from ..base import MXNetError
from .attrs import Attrs, Shape
from .numeric import widen
from .op import op
from .rules import forward
from .samples import normal
from .windows import Window, folded, patches, window


def _of(attrs: Any) -> Window:
    return window(attrs["kernel"], attrs["stride"], attrs["dilate"], attrs["pad"])


def places(win: Window, size: Sequence[int]) -> tuple[int, ...]:
    """How many windows there are along every axis of an image of `size`."""
    if len(size) != len(win.kernel):
        raise MXNetError(f"size {tuple(size)} must have {len(win.kernel)} entries, as kernel has")
    found = []
    for n, r, s, p in zip(size, win.reach, win.stride, win.pad, strict=True):
        if r > n + 2 * p:
            raise MXNetError(f"kernel reaches over {r}, input has {n} padded to {n + 2 * p}")
        found.append((n + 2 * p - r) // s + 1)
    return tuple(found)


def _column_shape(attrs: Attrs, data: Sequence[int]) -> tuple[int, ...]:
    win = _of(attrs)
    if len(data) != len(win.kernel) + 2:
        raise MXNetError(f"data has {len(data)} axes, expected {len(win.kernel) + 2}")
    return data[0], data[1] * prod(win.kernel), prod(places(win, data[2:]))


@op("im2col", shape=forward(_column_shape))
def im2col(xp, data, *, kernel: Shape, stride: Shape = (), dilate: Shape = (), pad: Shape = ()):
    """All windows of images as columns: (batch, channel * prod(kernel), windows).

    data : ``(batch, channel, *spatial)``. A convolution is a matrix product with these columns.
    `kernel`, `stride`, `dilate` and `pad` are those of the convolution. Source: MXNet operator
    im2col.

    >>> x = mx.nd.array([[[[1, 2, 3]]]])
    >>> mx.nd.im2col(x, kernel=(1, 2)).asnumpy()[0]
    array([[1., 2.],
           [2., 3.]], dtype=float32)
    """
    win = window(kernel, stride, dilate, pad)
    cut = patches(xp, data, win, places(win, data.shape[2:]))
    return cut.reshape(_column_shape(_attrs(win), data.shape))


def _attrs(win: Window) -> Attrs:
    return Attrs(kernel=win.kernel, stride=win.stride, dilate=win.dilate, pad=win.pad)


def _image_shape(attrs: Attrs, data: Sequence[int]) -> tuple[int, ...]:
    win = _of(attrs)
    windows, area = prod(places(win, attrs.output_size)), prod(win.kernel)
    if len(data) != 3 or data[1] % area or data[2] != windows:
        raise MXNetError(f"data has shape {tuple(data)}, expected (batch, {area} n, {windows})")
    return (data[0], data[1] // area, *attrs.output_size)


@op("col2im", shape=forward(_image_shape))
def col2im(
    xp,
    data,
    *,
    output_size: Shape,
    kernel: Shape,
    stride: Shape = (),
    dilate: Shape = (),
    pad: Shape = (),
):
    """Columns as `im2col` makes them, added up into images (batch, channel, *output_size).

    `kernel`, `stride`, `dilate` and `pad` as there. Source: MXNet operator col2im.

    >>> columns = mx.nd.array([[[1, 2], [2, 3]]])
    >>> mx.nd.col2im(columns, output_size=(1, 3), kernel=(1, 2)).asnumpy()[0, 0]
    array([[1., 4., 3.]], dtype=float32)
    """
    win = window(kernel, stride, dilate, pad)
    shape = _image_shape(Attrs(_attrs(win), output_size=output_size), data.shape)
    columns = widen(xp, data).reshape(*shape[:2], *kernel, *places(win, output_size))
    return folded(xp, columns, win, shape)


def _geometry(attrs: Attrs) -> dict[str, Any]:
    return {name: attrs[name] for name in ("kernel", "stride", "dilate", "pad")}


@im2col.gradient("data")
def _(dy, data, attrs):
    return col2im(dy, output_size=data.shape[2:], **_geometry(attrs))


@col2im.gradient("data")
def _(dy, attrs):
    return im2col(dy, **_geometry(attrs))


im2col.sample(data=normal(2, 3, 5, 6), kernel=(3, 2), stride=(2, 1), pad=(1, 0))
im2col.sample(data=normal(1, 2, 7), kernel=(3,), dilate=(2,))
col2im.sample(data=normal(2, 12, 9), output_size=(4, 5), kernel=(2, 3))
