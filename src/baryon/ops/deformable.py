"""Convolutions that read each place of the kernel at a learned offset.

Sources: Dai et al., "Deformable convolutional networks", ICCV 2017; Zhu et al., "Deformable
ConvNets v2", CVPR 2019, for the modulated form, whose samples are also weighed by a mask.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import prod
from typing import Any, Literal

from ..base import MXNetError
from .attrs import Attrs, Shape
from .columns import places
from .numeric import widen
from .op import get, op
from .rules import ShapeLike, known, unify
from .samples import normal, uniform
from .taps import Taps, gather, scatter, slopes, taps
from .windows import Window, window

Layout = Literal["NCDHW", "NCHW", "NCW"]
_GEOMETRY = ("kernel", "stride", "dilate", "pad", "num_group", "num_deformable_group")


# ---- shapes ------------------------------------------------------------------------------------


def _window(attrs: Any) -> Window:
    if len(attrs["kernel"]) != 2 or attrs.get("layout") not in (None, "NCHW"):
        raise MXNetError(f"kernel {attrs['kernel']} must have 2 entries, and the layout be NCHW")
    return window(attrs["kernel"], attrs["stride"], attrs["dilate"], attrs["pad"])


def _check(attrs: Attrs, data: Sequence[int]) -> None:
    if len(data) != 4:
        raise MXNetError(f"data has {len(data)} axes, expected (batch, channel, height, width)")
    for name in ("num_filter", "num_group", "num_deformable_group"):
        if attrs[name] < 1:
            raise MXNetError(f"{name} is {attrs[name]}, expected a positive number")
        if name != "num_filter" and data[1] % attrs[name]:
            raise MXNetError(f"{name} {attrs[name]} must divide the {data[1]} channels")
    if attrs.num_filter % attrs.num_group:
        raise MXNetError(f"num_group {attrs.num_group} must divide num_filter {attrs.num_filter}")


def _shapes(attrs: Attrs, ins: list, outs: list) -> tuple[list, list]:
    """Everything from the shape of data."""
    win, data = _window(attrs), ins[0]
    if not known(data):
        return ins, outs
    _check(attrs, data)
    out = places(win, data[2:])
    fields = attrs.num_deformable_group * prod(win.kernel)
    want: list[ShapeLike] = [data, (data[0], 2 * fields, *out)]
    if "im2col_step" in attrs:  # the modulated form has a mask
        want.append((data[0], fields, *out))
    want.append((attrs.num_filter, data[1] // attrs.num_group, *win.kernel))
    want.append((attrs.num_filter,))
    ins = [unify(w, s) for w, s in zip(want, ins, strict=False)]
    return ins, [unify((data[0], attrs.num_filter, *out), outs[0])]


# ---- columns -----------------------------------------------------------------------------------


def _points(xp: Any, data: Any, offset: Any, attrs: Any, clamp: bool) -> Taps:
    """Taps of all samples; each deformable group of channels is an image of its own."""
    win = _window(attrs)
    out, groups, area = offset.shape[2:], attrs["num_deformable_group"], prod(win.kernel)
    offset = offset.reshape(len(data), groups, *win.kernel, 2, *out)
    at = []
    for axis in (0, 1):
        kernel, stride, dilate, pad = (part[axis] for part in win)
        place = xp.arange(kernel)[:, None] * dilate + xp.arange(out[axis]) * stride - pad
        shape = [1, 1, 1, 1]  # kernel rows and columns, output rows and columns
        shape[axis], shape[2 + axis] = place.shape
        found = offset[:, :, :, :, axis] + place.reshape(shape).astype(offset.dtype)
        at.append(found.reshape(len(data) * groups, area * prod(out)))
    return taps(xp, at[0], at[1], data.shape[2:], clamp)


def _split(data: Any, groups: int) -> Any:
    """Every group of channels as an image of its own."""
    return data.reshape(len(data) * groups, data.shape[1] // groups, *data.shape[2:])


def _matrix(weight: Any, groups: int) -> Any:
    """Weights as (group, filters of a group, channels of a group * kernel)."""
    return weight.reshape(groups, len(weight) // groups, prod(weight.shape[1:]))


def _columns(values: Any, shape: Sequence[int], attrs: Any) -> Any:
    """Samples as (batch, group, channels of a group * kernel, output pixels)."""
    groups = attrs["num_group"]
    pixels = prod(shape[2:])
    return values.reshape(shape[0], groups, shape[1] // groups * prod(attrs["kernel"]), pixels)


def _masked(values: Any, mask: Any) -> Any:
    """Samples (image, channel, point) times their masks."""
    return values if mask is None else values * mask.reshape(len(values), 1, values.shape[2])


def convolve(xp: Any, data: Any, offset: Any, mask: Any, weight: Any, bias: Any, attrs: Any) -> Any:
    """Both operators: without a mask images repeat their border, with one they are 0 outside."""
    data, offset, weight = (widen(xp, a) for a in (data, offset, weight))
    images = _split(data, attrs["num_deformable_group"])
    found = _points(xp, data, offset, attrs, clamp=mask is None)
    values = gather(xp, images, found.index, found.weight)
    values = _masked(values, None if mask is None else widen(xp, mask))
    shape = (*data.shape[:2], *offset.shape[2:])
    out = _matrix(weight, attrs["num_group"]) @ _columns(values, shape, attrs)
    out = out.reshape(len(data), len(weight), *offset.shape[2:])
    return out if bias is None else out + widen(xp, bias).reshape(-1, 1, 1)


# ---- the operators -----------------------------------------------------------------------------


@op(
    "_contrib_DeformableConvolution",
    shape=_shapes,
    present={"bias": lambda a: not a.no_bias},
)
def deformable_convolution(
    xp,
    data,
    offset,
    weight,
    bias=None,
    *,
    kernel: Shape,
    stride: Shape = (),
    dilate: Shape = (),
    pad: Shape = (),
    num_filter: int,
    num_group: int = 1,
    num_deformable_group: int = 1,
    workspace: int = 1024,
    no_bias: bool = False,
    layout: Layout | None = None,
):
    """Convolution over two axes that reads every place of its kernel at an offset of its own.

    data : (batch, channel, height, width). offset : (batch, num_deformable_group * kernel * 2,
    out_height, out_width), y before x, in pixels. All else as in `Convolution`. Between pixels
    data are read bilinearly; points outside are 0. `workspace` changes no value. Source: MXNet
    operator DeformableConvolution.

    >>> x, shift = mx.nd.array([[[[1, 2, 3]]]]), mx.nd.zeros((1, 2, 1, 3))
    >>> shift[:, 1] = 0.5
    >>> y = mx.nd.contrib.DeformableConvolution(x, shift, mx.nd.ones((1, 1, 1, 1)), kernel=(1, 1),
    ...                                         num_filter=1, no_bias=True)
    >>> y.asnumpy()[0, 0]
    array([[1.5, 2.5, 3. ]], dtype=float32)
    """
    attrs = {"kernel": kernel, "stride": stride, "dilate": dilate, "pad": pad}
    attrs |= {"num_group": num_group, "num_deformable_group": num_deformable_group}
    return convolve(xp, data, offset, None, weight, bias, attrs)


@op(
    "_contrib_ModulatedDeformableConvolution",
    shape=_shapes,
    present={"bias": lambda a: not a.no_bias},
)
def modulated_convolution(
    xp,
    data,
    offset,
    mask,
    weight,
    bias=None,
    *,
    kernel: Shape,
    stride: Shape = (),
    dilate: Shape = (),
    pad: Shape = (),
    num_filter: int,
    num_group: int = 1,
    num_deformable_group: int = 1,
    workspace: int = 1024,
    no_bias: bool = False,
    im2col_step: int = 64,
    layout: Layout | None = None,
):
    """A deformable convolution whose samples are also weighed by a mask.

    mask : (batch, num_deformable_group * kernel, out_height, out_width); the rest as in
    `contrib.DeformableConvolution`, but images fade to 0 over one pixel at their border.
    `workspace` and `im2col_step` change no value. Source: MXNet operator
    ModulatedDeformableConvolution.

    >>> x, shift = mx.nd.array([[[[1, 2]]]]), mx.nd.zeros((1, 2, 1, 2))
    >>> mask = mx.nd.ones((1, 1, 1, 2)) / 2
    >>> y = mx.nd.contrib.ModulatedDeformableConvolution(
    ...     x, shift, mask, mx.nd.ones((1, 1, 1, 1)), kernel=(1, 1), num_filter=1, no_bias=True)
    >>> y.asnumpy()[0, 0]
    array([[0.5, 1. ]], dtype=float32)
    """
    attrs = {"kernel": kernel, "stride": stride, "dilate": dilate, "pad": pad}
    attrs |= {"num_group": num_group, "num_deformable_group": num_deformable_group}
    return convolve(xp, data, offset, mask, weight, bias, attrs)


_MASK = {"mask": lambda a: a.modulated}


@op(
    "_backward_DeformableConvolution",
    shape=lambda attrs, ins, outs: (ins, [*ins[1:]]),
    present=_MASK,
    outputs=lambda a: ("data", "offset", *(("mask",) if a.modulated else ()), "weight"),
)
def backward_deformable(
    xp,
    dy,
    data,
    offset,
    mask=None,
    weight=None,
    *,
    kernel: Shape,
    stride: Shape = (),
    dilate: Shape = (),
    pad: Shape = (),
    num_group: int = 1,
    num_deformable_group: int = 1,
    modulated: bool = False,
):
    """Gradients of both deformable convolutions by data, offset, mask (`modulated`) and weight."""
    if not modulated:
        mask, weight = None, mask  # arrays come without gaps
    attrs = {"kernel": kernel, "stride": stride, "dilate": dilate, "pad": pad}
    attrs |= {"num_group": num_group, "num_deformable_group": num_deformable_group}
    dy, data, offset, weight = (widen(xp, a) for a in (dy, data, offset, weight))
    mask = None if mask is None else widen(xp, mask)
    images = _split(data, num_deformable_group)
    found = _points(xp, data, offset, attrs, clamp=mask is None)
    plain = gather(xp, images, found.index, found.weight)
    shape = (*data.shape[:2], *offset.shape[2:])
    head = dy.reshape(len(dy), num_group, len(weight) // num_group, prod(dy.shape[2:]))
    columns = _columns(_masked(plain, mask), shape, attrs)
    by_weight = (head @ columns.swapaxes(2, 3)).sum(0).reshape(weight.shape)
    by_values = _matrix(weight, num_group).swapaxes(1, 2) @ head
    by_values = by_values.reshape(plain.shape)
    by_mask = () if mask is None else ((by_values * plain).sum(1).reshape(mask.shape),)
    by_values = _masked(by_values, mask)
    by_data = scatter(xp, by_values, found.index, found.weight, images.shape)
    moved = xp.stack(slopes(xp, images, by_values, found), -1)
    area = prod(kernel)
    moved = moved.reshape(len(data), num_deformable_group, area, prod(offset.shape[2:]), 2)
    by_offset = xp.moveaxis(moved, -1, 3).reshape(offset.shape)
    return by_data.reshape(data.shape), by_offset, *by_mask, by_weight


def _geometry(attrs: Attrs) -> dict[str, Any]:
    return {name: attrs[name] for name in _GEOMETRY}


def _with_bias(found: Any, dy: Any, attrs: Attrs) -> tuple:
    return *found, None if attrs.no_bias else get("sum")(dy, axis=(0, 2, 3))


@deformable_convolution.gradient("data", "offset", "weight", "bias")
def _(dy, data, offset, weight, attrs):
    found = backward_deformable(dy, data, offset, weight, **_geometry(attrs))
    return _with_bias(found, dy, attrs)


@modulated_convolution.gradient("data", "offset", "mask", "weight", "bias")
def _(dy, data, offset, mask, weight, attrs):
    found = backward_deformable(dy, data, offset, mask, weight, modulated=True, **_geometry(attrs))
    return _with_bias(found, dy, attrs)


deformable_convolution.sample(
    data=normal(2, 4, 6, 5),
    offset=uniform(2, 36, 3, 5, low=0.1, high=0.4),
    weight=normal(4, 2, 3, 3),
    bias=normal(4),
    kernel=(3, 3),
    stride=(2, 1),
    pad=(1, 1),
    num_filter=4,
    num_group=2,
    num_deformable_group=2,
    _second_order=False,
)
modulated_convolution.sample(
    data=normal(2, 2, 6, 5),
    offset=uniform(2, 8, 4, 3, low=0.1, high=0.4),
    mask=uniform(2, 4, 4, 3),
    weight=normal(3, 2, 2, 2),
    kernel=(2, 2),
    dilate=(2, 2),
    num_filter=3,
    no_bias=True,
    _second_order=False,
)
backward_deformable.sample(
    dy=normal(2, 4, 3, 5),
    data=normal(2, 4, 6, 5),
    offset=uniform(2, 36, 3, 5, low=0.1, high=0.4),
    mask=normal(4, 2, 3, 3),  # without a mask the weight follows the offsets
    kernel=(3, 3),
    stride=(2, 1),
    pad=(1, 1),
    num_group=2,
    num_deformable_group=2,
    _second_order=False,
)
backward_deformable.sample(
    dy=normal(2, 3, 4, 3),
    data=normal(2, 2, 6, 5),
    offset=uniform(2, 8, 4, 3, low=0.1, high=0.4),
    mask=uniform(2, 4, 4, 3),
    weight=normal(3, 2, 2, 2),
    kernel=(2, 2),
    dilate=(2, 2),
    modulated=True,
    _second_order=False,
)
