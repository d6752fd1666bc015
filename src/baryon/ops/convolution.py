"""Convolution and its gradients.

The gradient by data and the joint one by weight and bias are operators with kernels of their own.
Weight and bias come together because both read all of the head gradient, and because the joint
operator's own gradient is then one Convolution again.
"""

from __future__ import annotations

from typing import Any, Literal

import numpy as np

from ..base import MXNetError
from .attrs import Attrs, Shape
from .op import op
from .rules import known, unify
from .samples import normal
from .windows import (
    Window,
    channels_first,
    channels_last,
    check_layout,
    folded,
    is_channels_last,
    patches,
    shape_first,
    shape_last,
    widened,
    window,
)

Layout = Literal["NCDHW", "NCHW", "NCW", "NDHWC", "NHWC"]
Tune = Literal["fastest", "limited_workspace", "off"]


def of(attrs: Any) -> Window:
    """The `Window` of a convolution's attributes."""
    return window(attrs.kernel, attrs.stride, attrs.dilate, attrs.pad)


# ---- shapes ------------------------------------------------------------------------------------


def check(attrs: Attrs, win: Window, data: tuple | None) -> None:
    """MXNetError for attributes that no data fit, or for data of another rank."""
    rank = len(win.kernel)
    check_layout(attrs.layout, rank)
    for name in ("num_filter", "num_group"):
        if attrs[name] < 1:
            raise MXNetError(f"{name} is {attrs[name]}, expected a positive number")
    if attrs.num_filter % attrs.num_group:
        raise MXNetError(f"num_group {attrs.num_group} must divide num_filter {attrs.num_filter}")
    if data is not None:
        if len(data) != rank + 2:
            raise MXNetError(f"data has {len(data)} axes, expected {rank + 2}")
        if data[1] != -1 and data[1] % attrs.num_group:
            raise MXNetError(f"num_group {attrs.num_group} must divide the {data[1]} channels")


def per_group(channels: int, groups: int) -> int:
    """Channels of one group, -1 if unknown."""
    return -1 if channels == -1 else channels // groups


def _out_size(n: int, k: int, s: int, d: int, p: int) -> int:
    if n == -1:
        return -1
    reach = d * (k - 1) + 1
    if reach > n + 2 * p:
        raise MXNetError(f"kernel reaches over {reach}, input has {n} padded to {n + 2 * p}")
    return (n + 2 * p - reach) // s + 1


def _shapes(attrs: Attrs, ins: list, outs: list) -> tuple[list, list]:
    """Weight, bias and output from data; batch and stride-1 sizes of data from the output."""
    win = of(attrs)
    data, out = shape_first(ins[0], attrs.layout), shape_first(outs[0], attrs.layout)
    check(attrs, win, data)
    if data is None:
        return ins, outs
    sizes = tuple(map(_out_size, data[2:], *win))
    out = unify(out, (data[0], attrs.num_filter, *sizes))
    back = [
        o + r - 1 - 2 * p if o != -1 and s == 1 else -1
        for o, r, s, p in zip(out[2:], win.reach, win.stride, win.pad, strict=True)
    ]
    data = unify(data, (out[0], -1, *back))
    weight = (attrs.num_filter, per_group(data[1], attrs.num_group), *win.kernel)
    weight = unify(ins[1], shape_last(weight, attrs.layout))
    bias = [unify(b, (attrs.num_filter,)) for b in ins[2:]]
    return [shape_last(data, attrs.layout), weight, *bias], [shape_last(out, attrs.layout)]


def params(attrs: Attrs, ins: Any, outs: Any) -> tuple | None:
    """Groups, then kernel, stride, dilation and padding of each axis; the kernels are NC*."""
    if is_channels_last(attrs.layout):
        return None
    win = of(attrs)
    return (attrs.num_group, *win.kernel, *win.stride, *win.dilate, *win.pad)


def _flops(attrs: Attrs, ins: Any, outs: Any) -> int:
    return 2 * outs[0].size * ins[1].size // shape_first(outs[0].shape, attrs.layout)[1]


# ---- reference bodies, channels first ----------------------------------------------------------


def correlate(xp: Any, data: Any, weight: Any, win: Window, groups: int) -> Any:
    """Convolution without bias."""
    out = tuple(map(_out_size, data.shape[2:], *win))
    batch, filters = data.shape[0], weight.shape[0]
    columns = patches(xp, widened(data), win, out)
    columns = columns.reshape(batch, groups, int(np.prod(weight.shape[1:])), int(np.prod(out)))
    matrix = widened(weight).reshape(groups, filters // groups, -1)
    return xp.matmul(matrix, columns).reshape(batch, filters, *out)


def spread(xp: Any, head: Any, weight: Any, win: Window, groups: int, shape: tuple) -> Any:
    """Gradient of `correlate` by data of `shape`; the transposed convolution."""
    batch, filters, *out = head.shape
    head = widened(head).reshape(batch, groups, filters // groups, int(np.prod(out)))
    matrix = widened(weight).reshape(groups, filters // groups, -1)
    columns = xp.matmul(xp.swapaxes(matrix, 1, 2), head)
    return folded(xp, columns.reshape(batch, shape[1], *win.kernel, *out), win, shape)


def gathered(xp: Any, head: Any, data: Any, win: Window, groups: int) -> Any:
    """Gradient of `correlate` by weight."""
    batch, filters, *out = head.shape
    pixels = int(np.prod(out))
    columns = patches(xp, widened(data), win, tuple(out))
    columns = columns.reshape(batch, groups, -1, pixels) if columns.size else columns
    head = widened(head).reshape(batch, groups, filters // groups, pixels)
    shape = (filters, data.shape[1] // groups, *win.kernel)
    if not columns.size:
        return xp.zeros(shape, head.dtype)
    return xp.matmul(head, xp.swapaxes(columns, 2, 3)).sum(0).reshape(shape)


def with_bias(out: Any, bias: Any) -> Any:
    """`out` with a bias for each channel added, where there is one."""
    return out if bias is None else out + widened(bias).reshape(-1, *(1,) * (out.ndim - 2))


# ---- the operators -----------------------------------------------------------------------------


@op(
    "Convolution",
    aliases=("_npx_convolution",),
    shape=_shapes,
    present={"bias": lambda a: not a.no_bias},
    kernel=True,
    params=params,
    flops=_flops,
    onnx="Conv",
    rowwise=("data",),
)
def convolution(
    xp: Any,
    data: Any,
    weight: Any,
    bias: Any = None,
    *,
    kernel: Shape,
    stride: Shape = (),
    dilate: Shape = (),
    pad: Shape = (),
    num_filter: int,
    num_group: int = 1,
    workspace: int = 1024,
    no_bias: bool = False,
    cudnn_tune: Tune | None = None,
    cudnn_off: bool = False,
    layout: Layout | None = None,
) -> Any:
    """Convolution over one, two or three spatial axes (a cross-correlation, as in all of MXNet).

    data : ``(batch, channel, *spatial)``. weight : ``(num_filter, channel / num_group, *kernel)``.
    bias : ``(num_filter,)``. Output sizes are
    ``(n + 2 pad - dilate (kernel - 1) - 1) // stride + 1``. A `layout` such as NHWC keeps the
    channels of data, weight and output last. `workspace`, `cudnn_tune` and `cudnn_off` change no
    value. `no_bias` leaves bias out. Source: MXNet operator Convolution.

    >>> x, w, b = mx.nd.ones((1, 1, 3, 3)), mx.nd.ones((1, 1, 2, 2)), mx.nd.zeros(1)
    >>> mx.nd.Convolution(x, w, b, kernel=(2, 2), num_filter=1).asnumpy()[0, 0]
    array([[4., 4.],
           [4., 4.]], dtype=float32)
    """
    data, weight = channels_first(xp, data, layout), channels_first(xp, weight, layout)
    out = correlate(xp, data, weight, window(kernel, stride, dilate, pad), num_group)
    return channels_last(xp, with_bias(out, bias), layout)


def _v1_shapes(attrs: Attrs, ins: list, outs: list) -> tuple[list, list]:
    if len(attrs.kernel) == 1:
        raise MXNetError("kernel has 1 entry, expected 2 or 3")
    return _shapes(attrs, ins, outs)


@op(
    "Convolution_v1",
    shape=_v1_shapes,
    present={"bias": lambda a: not a.no_bias},
    kernel="Convolution",
    params=params,
    flops=_flops,
)
def convolution_v1(
    xp: Any,
    data: Any,
    weight: Any,
    bias: Any = None,
    *,
    kernel: Shape,
    stride: Shape = (),
    dilate: Shape = (),
    pad: Shape = (),
    num_filter: int,
    num_group: int = 1,
    workspace: int = 1024,
    no_bias: bool = False,
    cudnn_tune: Tune | None = None,
    cudnn_off: bool = False,
    layout: Literal["NCDHW", "NCHW", "NDHWC", "NHWC"] | None = None,
) -> Any:
    """The old name of `Convolution`, over two or three spatial axes.

    Source: MXNet operator Convolution_v1.

    >>> x, w = mx.nd.ones((1, 1, 3, 3)), mx.nd.ones((1, 1, 3, 3))
    >>> y = mx.nd.Convolution_v1(x, w, kernel=(3, 3), num_filter=1, no_bias=True)
    >>> y.asnumpy().item()
    9.0
    """
    window_of = {"kernel": kernel, "stride": stride, "dilate": dilate, "pad": pad}
    more = {"num_filter": num_filter, "num_group": num_group, "layout": layout}
    return convolution.body(xp, data, weight, bias, **window_of, **more)


def _data_shape(attrs: Attrs, ins: list, outs: list) -> tuple[list, list]:
    return ins, [attrs.shape]


@op(
    "_backward_Convolution_data",
    shape=_data_shape,
    kernel=True,
    params=params,
    flops=lambda attrs, ins, outs: _flops(attrs, (outs[0], ins[1]), ins),
)
def backward_data(
    xp: Any,
    head: Any,
    weight: Any,
    *,
    shape: Shape,
    kernel: Shape,
    stride: Shape = (),
    dilate: Shape = (),
    pad: Shape = (),
    num_group: int = 1,
    layout: Layout | None = None,
) -> Any:
    """Gradient of Convolution by its data, whose shape is `shape`."""
    head, weight = channels_first(xp, head, layout), channels_first(xp, weight, layout)
    win = window(kernel, stride, dilate, pad)
    result = spread(xp, head, weight, win, num_group, shape_first(shape, layout))
    return channels_last(xp, result, layout)


def _weight_shapes(attrs: Attrs, ins: list, outs: list) -> tuple[list, list]:
    head, data = (shape_first(s, attrs.layout) for s in ins)
    if not (known(head) and known(data)):
        return ins, outs
    weight = (head[1], data[1] // attrs.num_group, *attrs.kernel)
    return ins, [shape_last(weight, attrs.layout), (head[1],)][: len(outs)]


@op(
    "_backward_Convolution_weight",
    shape=_weight_shapes,
    outputs=lambda a: ("weight",) if a.no_bias else ("weight", "bias"),
    kernel=True,
    params=params,
    flops=lambda attrs, ins, outs: _flops(attrs, (ins[1], outs[0]), ins),
)
def backward_weight(
    xp: Any,
    head: Any,
    data: Any,
    *,
    kernel: Shape,
    stride: Shape = (),
    dilate: Shape = (),
    pad: Shape = (),
    num_group: int = 1,
    no_bias: bool = False,
    layout: Layout | None = None,
) -> Any:
    """Gradients of Convolution by its weight and, unless `no_bias`, its bias."""
    head, data = channels_first(xp, head, layout), channels_first(xp, data, layout)
    weight = gathered(xp, head, data, window(kernel, stride, dilate, pad), num_group)
    weight = channels_last(xp, weight, layout)
    if no_bias:
        return (weight,)
    return weight, widened(head).sum((0, *range(2, head.ndim)))


# ---- gradients ---------------------------------------------------------------------------------


_GEOMETRY = ("kernel", "stride", "dilate", "pad", "num_group", "layout")


def geometry(attrs: Attrs) -> dict[str, Any]:
    """The attributes that all operators of this family share."""
    return {name: attrs[name] for name in _GEOMETRY}


def _apply(data: Any, weight: Any, *bias: Any, attrs: Attrs) -> Any:
    """Convolution with the geometry of `attrs`."""
    filters = weight.shape[0]
    return convolution(data, weight, *bias, num_filter=filters, no_bias=not bias, **geometry(attrs))


@convolution.gradient("data")
@convolution_v1.gradient("data")
def _(dy: Any, data: Any, weight: Any, attrs: Attrs) -> Any:
    return backward_data(dy, weight, shape=data.shape, **geometry(attrs))


@convolution.gradient("weight", "bias")
@convolution_v1.gradient("weight", "bias")
def _(dy: Any, data: Any, attrs: Attrs) -> Any:
    found = backward_weight(dy, data, no_bias=attrs.no_bias, **geometry(attrs))
    return (found, None) if attrs.no_bias else tuple(found)


# Both backward operators are linear in either input: the three are each other's gradients.


@backward_data.gradient("head")
def _(dy: Any, weight: Any, attrs: Attrs) -> Any:
    return _apply(dy, weight, attrs=attrs)


@backward_data.gradient("weight")
def _(dy: Any, head: Any, attrs: Attrs) -> Any:
    return backward_weight(head, dy, no_bias=True, **geometry(attrs))


@backward_weight.gradient("head")
def _(dys: Any, data: Any, attrs: Attrs) -> Any:
    return _apply(data, *dys, attrs=attrs)


@backward_weight.gradient("data")
def _(d_weight: Any, head: Any, data: Any, attrs: Attrs) -> Any:
    if d_weight is None:
        return None
    return backward_data(head, d_weight, shape=data.shape, **geometry(attrs))


convolution.sample(
    data=normal(2, 4, 7, 6),
    weight=normal(6, 2, 3, 2),
    bias=normal(6),
    kernel=(3, 2),
    stride=(2, 1),
    pad=(1, 0),
    num_filter=6,
    num_group=2,
)
convolution.sample(
    data=normal(2, 3, 9),
    weight=normal(4, 3, 3),
    kernel=(3,),
    dilate=(2,),
    pad=(2,),
    num_filter=4,
    no_bias=True,
)
convolution.sample(
    data=normal(1, 5, 4, 2),
    weight=normal(3, 2, 3, 2),
    bias=normal(3),
    kernel=(2, 3),
    pad=(0, 1),
    num_filter=3,
    layout="NHWC",
)
convolution.sample(
    data=normal(1, 2, 4, 5, 4),
    weight=normal(2, 1, 2, 3, 2),
    bias=normal(2),
    kernel=(2, 3, 2),
    stride=(2, 1, 2),
    num_filter=2,
    num_group=2,
)
convolution_v1.sample(
    data=normal(1, 2, 5, 5), weight=normal(3, 2, 3, 3), bias=normal(3), kernel=(3, 3), num_filter=3
)
backward_data.sample(
    head=normal(2, 4, 3, 6),
    weight=normal(4, 3, 3, 2),
    shape=(2, 3, 6, 7),
    kernel=(3, 2),
    stride=(2, 1),
    pad=(1, 0),
)
backward_weight.sample(head=normal(2, 4, 6), data=normal(2, 3, 8), kernel=(3,))
