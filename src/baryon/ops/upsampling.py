"""Enlarging images by whole factors, and cutting boxes out of them."""

from __future__ import annotations

from collections.abc import Sequence
from functools import reduce
from typing import Any, Literal

from ..base import MXNetError
from .attrs import Attrs, Shape
from .convolution import backward_weight, convolution
from .deconvolution import deconvolution
from .numeric import widen
from .op import op
from .rules import forward
from .samples import normal
from .slicing import place, slice_axis


def _image(name: str, shape: Sequence[int]) -> None:
    if len(shape) != 4:
        raise MXNetError(f"{name} has {len(shape)} axes, expected (batch, channel, height, width)")


# ---- UpSampling --------------------------------------------------------------------------------


def _geometry(scale: int, filters: int) -> dict[str, Any]:
    """The deconvolution that bilinear upsampling is, every channel a group of its own."""
    size, pad = 2 * scale - scale % 2, scale // 2
    pair = {"kernel": (size, size), "stride": (scale, scale), "pad": (pad, pad)}
    return {**pair, "num_group": filters}


def _factors(scale: int, shapes: Sequence[Sequence[int]]) -> list[int]:
    """By how much each input is enlarged: all to the first one's size times `scale`."""
    height, width = (n * scale for n in shapes[0][2:])
    return [height // s[2] if s[2] else width // s[3] if s[3] else scale for s in shapes]


def _nearest_shape(attrs: Attrs, *data: Sequence[int]) -> tuple[int, ...]:
    for i, shape in enumerate(data):
        _image(f"arg{i}", shape)
    out = tuple(n * attrs.scale for n in data[0][2:])
    for i, (shape, factor) in enumerate(zip(data, _factors(attrs.scale, data), strict=True)):
        if tuple(n * factor for n in shape[2:]) != out:
            raise MXNetError(f"arg{i} of size {shape[2:]} cannot be enlarged to {out}")
        if shape[0] != data[0][0]:
            raise MXNetError(f"arg{i} has batch size {shape[0]}, expected {data[0][0]}")
        if attrs.multi_input_mode == "sum" and shape[1] != data[0][1]:
            raise MXNetError(f"arg{i} has {shape[1]} channels, expected {data[0][1]}")
    channels = data[0][1] if attrs.multi_input_mode == "sum" else sum(s[1] for s in data)
    return (data[0][0], channels, *out)


def _upsampled(attrs: Attrs, ins: list, outs: list) -> tuple[list, list]:
    if attrs.scale < 1:
        raise MXNetError(f"scale is {attrs.scale}, expected a positive number")
    if attrs.sample_type == "nearest":
        return forward(_nearest_shape)(attrs, ins, outs)
    if len(ins) != 2:
        raise MXNetError(f"takes data and weight for sample_type bilinear, got {len(ins)} inputs")
    if ins[0] is not None:
        _image("data", ins[0])
        if ins[0][1] not in (-1, attrs.num_filter):
            raise MXNetError(
                f"num_filter is {attrs.num_filter}, expected {ins[0][1]}, the channels"
            )
    geometry = _geometry(attrs.scale, attrs.num_filter)
    more = deconvolution.attributes({"num_filter": attrs.num_filter, **geometry})
    return deconvolution.shape_rule(more, list(ins), list(outs))


@op(
    "UpSampling",
    shape=_upsampled,
    variadic="num_args",
    named=lambda a: ("data", "weight") if a.sample_type == "bilinear" else (),
    init={"weight": '["bilinear", {}]'},
)
def up_sampling(
    xp,
    *data,
    scale: int,
    num_filter: int = 0,
    sample_type: Literal["bilinear", "nearest"],
    multi_input_mode: Literal["concat", "sum"] = "concat",
    num_args: int,
    workspace: int = 512,
):
    """Images enlarged `scale` times.

    ``nearest`` repeats pixels; several inputs are all brought to the size of the first times
    `scale` and joined along the channels, or added (`multi_input_mode` concat or sum). ``bilinear``
    takes data and a weight ``(num_filter, 1, 2 scale - scale % 2, ...)`` and is a Deconvolution
    that keeps the channels, whose number is `num_filter`, apart. `workspace` changes no value.
    Source: MXNet operator UpSampling.

    >>> x = mx.nd.array([[[[1, 2]]]])
    >>> mx.nd.UpSampling(x, scale=2, sample_type="nearest").asnumpy()[0, 0]
    array([[1., 1., 2., 2.],
           [1., 1., 2., 2.]], dtype=float32)
    """
    if sample_type == "bilinear":
        more = _geometry(scale, num_filter)
        return deconvolution.body(xp, *data, num_filter=num_filter, **more)
    factors = _factors(scale, [d.shape for d in data])
    parts = [d.repeat(f, 2).repeat(f, 3) for d, f in zip(data, factors, strict=True)]
    if multi_input_mode == "concat":
        return xp.concatenate(parts, axis=1)
    return reduce(xp.add, [widen(xp, p) for p in parts])


def _block_shape(attrs: Attrs, dy: Sequence[int]) -> tuple[int, ...]:
    return (*dy[:2], dy[2] // attrs.scale, dy[3] // attrs.scale)


@op("_backward_UpSampling", shape=forward(_block_shape))
def sum_blocks(xp, dy, *, scale: int):
    """Sums over blocks of `scale` x `scale` pixels: the adjoint of repeating them."""
    batch, channels, height, width = dy.shape
    blocks = (batch, channels, height // scale, scale, width // scale, scale)
    return widen(xp, dy).reshape(blocks).sum((3, 5))


@sum_blocks.gradient("dy")
def _(d_output, scale):
    return up_sampling(d_output, scale=scale, sample_type="nearest", num_args=1)


@up_sampling.gradient("data")
def _(dy, data, attrs):
    if attrs.sample_type == "bilinear":
        image, weight = data
        more = {"no_bias": True, **_geometry(attrs.scale, attrs.num_filter)}
        by_image = convolution(dy, weight, num_filter=attrs.num_filter, **more)
        by_weight = backward_weight(image, dy, **more)
        return [by_image, by_weight]
    factors, begin, found = _factors(attrs.scale, [d.shape for d in data]), 0, []
    for part, factor in zip(data, factors, strict=True):
        head, end = dy, begin + part.shape[1]
        if attrs.multi_input_mode == "concat" and len(data) > 1:
            head = slice_axis(dy, axis=1, begin=begin, end=end)
        found.append(sum_blocks(head, scale=factor))
        begin = end
    return found


up_sampling.sample(data=[normal(2, 3, 2, 3)], scale=2, sample_type="nearest")
up_sampling.sample(data=[normal(1, 2, 4, 4), normal(1, 3, 2, 2)], scale=2, sample_type="nearest")
up_sampling.sample(
    data=[normal(1, 2, 2, 3), normal(1, 2, 4, 6)],
    scale=2,
    sample_type="nearest",
    multi_input_mode="sum",
)
up_sampling.sample(
    data=[normal(1, 2, 3, 3), normal(2, 1, 4, 4)], scale=2, sample_type="bilinear", num_filter=2
)
sum_blocks.sample(dy=normal(2, 3, 4, 6), scale=2)


# ---- Crop --------------------------------------------------------------------------------------


def _crop_box(attrs: Any, shapes: Sequence[Sequence[int]]) -> tuple[tuple, tuple]:
    """Begin and size of the box along height and width; MXNetError unless it lies inside."""
    image = shapes[0][2:]
    size = shapes[1][2:] if len(shapes) == 2 else attrs["h_w"]
    if attrs["center_crop"]:
        begin = tuple((n - s) // 2 for n, s in zip(image, size, strict=True))
    else:
        begin = attrs["offset"]
    if len(size) != 2 or len(begin) != 2:
        raise MXNetError(f"h_w {tuple(size)} and offset {tuple(begin)} must have 2 entries each")
    if len(shapes) == 1 and min(size) < 1:
        raise MXNetError(f"h_w is {tuple(size)}, expected two positive numbers")
    if any(b < 0 or b + s > n for b, s, n in zip(begin, size, image, strict=True)):
        raise MXNetError(f"the box of size {tuple(size)} at {begin} reaches out of {tuple(image)}")
    return tuple(begin), tuple(size)


def _cropped(attrs: Attrs, *data: Sequence[int]) -> tuple[int, ...]:
    if not 1 <= len(data) <= 2:
        raise MXNetError(f"takes one or two arrays, got {len(data)}")
    for i, shape in enumerate(data):
        _image(f"arg{i}", shape)
    return (*data[0][:2], *_crop_box(attrs, data)[1])


@op("Crop", shape=forward(_cropped), variadic="num_args")
def crop(
    xp,
    *data,
    num_args: int,
    offset: Shape = (0, 0),
    h_w: Shape = (0, 0),
    center_crop: bool = False,
):
    """A box of images: of size `h_w`, or of the second input's height and width.

    It begins at `offset` (y, x), or lies in the middle with `center_crop`. The second input gets
    no gradient. Source: MXNet operator Crop.

    >>> x = mx.nd.arange(9).reshape((1, 1, 3, 3))
    >>> mx.nd.Crop(x, h_w=(1, 2), offset=(1, 1)).asnumpy()
    array([[[[4., 5.]]]], dtype=float32)
    """
    attrs = {"offset": offset, "h_w": h_w, "center_crop": center_crop}
    (top, left), (height, width) = _crop_box(attrs, [d.shape for d in data])
    return data[0][:, :, top : top + height, left : left + width]


@crop.gradient("data")
def _(dy, data, attrs):
    begin, size = _crop_box(attrs, [d.shape for d in data])
    end = tuple(b + s for b, s in zip(begin, size, strict=True))
    whole = (None, None)
    by_image = place(dy, shape=data[0].shape, begin=(*whole, *begin), end=(*whole, *end))
    return [by_image, None][: len(data)]


crop.sample(data=[normal(1, 2, 5, 6)], h_w=(3, 4), offset=(1, 2))
crop.sample(data=[normal(1, 2, 5, 6), normal(1, 1, 2, 3)], center_crop=True)
