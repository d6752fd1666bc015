"""Operators of images: to tensors and back to other sizes, parts and mirror images.

An image is (height, width, channel), a batch of them (batch, height, width, channel).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from .. import pixels
from ..base import MXNetError
from . import shape as shapes
from .attrs import Attrs, Floats, Shape
from .device import fixed
from .numeric import numeric, widen
from .op import Op, op
from .rules import forward, output_dtype
from .samples import integers, normal, uniform
from .slicing import place


def check_image(data: Sequence[int], batches: bool = True) -> None:
    """MXNetError unless this is the shape of an image, or of a batch of them."""
    if len(data) != 3 and not (batches and len(data) == 4):
        more = " or (batch, height, width, channel)" if batches else ""
        raise MXNetError(f"expects images of shape (height, width, channel){more}")


def check_colors(data: Sequence[int]) -> None:
    """MXNetError unless an image has one channel or three."""
    check_image(data, batches=False)
    if data[2] not in (1, 3):
        raise MXNetError(f"expects images of 1 or 3 channels, got {data[2]}")


# ---- to_tensor, normalize ----------------------------------------------------------------------


def _tensor_shape(attrs: Attrs, data: Sequence[int]) -> tuple[int, ...]:
    check_image(data)
    return (*data[:-3], data[-1], *data[-3:-1])


@op(
    "_image_to_tensor",
    aliases=("_npx__image_to_tensor",),
    shape=forward(_tensor_shape),
    dtype=output_dtype("float32"),
)
def to_tensor(xp, data):
    """An image of 0..255 as float32 (channel, height, width) of 0..1; batches likewise.

    Source: MXNet operator image.to_tensor.

    >>> mx.nd.image.to_tensor(mx.nd.array([[[255, 51, 0]]], dtype="uint8")).asnumpy().ravel()
    array([1. , 0.2, 0. ], dtype=float32)
    """
    axes = (2, 0, 1) if data.ndim == 3 else (0, 3, 1, 2)
    return data.transpose(axes).astype(np.float32) / np.float32(255)


@to_tensor.gradient("data")
def _(dy):
    return shapes.transpose(dy, axes=(1, 2, 0) if len(dy.shape) == 3 else (0, 2, 3, 1)) * (1 / 255)


to_tensor.sample(data=integers(4, 5, 3, high=256), _dtypes=("uint8", "float32"))
to_tensor.sample(data=uniform(2, 3, 4, 1, low=0, high=255), _dtypes=("float32",))

_UNSET = (0.0,) * 4  # as many means as any image has channels: nothing was given
_UNIT = (1.0,) * 4


def _normal_shape(attrs: Attrs, ins: list, outs: list) -> tuple[list, list]:
    data = ins[0] if ins[0] is not None else outs[0]
    if data is not None:
        if len(data) not in (3, 4):
            raise MXNetError("expects data of shape ([batch,] channel, height, width)")
        channels = data[-3]
        if channels not in (1, 3, -1):
            raise MXNetError(f"expects data of 1 or 3 channels, got {channels}")
        for name, values, default in (("mean", attrs.mean, _UNSET), ("std", attrs.std, _UNIT)):
            if len(values) not in (1, channels) and values != default:
                raise MXNetError(f"{name} has {len(values)} entries, expected 1 or {channels}")
    return [data], [data]


def _by_channel(xp: Any, values: Sequence[float], data: Any) -> Any:
    return fixed(xp, values[: data.shape[-3]], np.float32).reshape(-1, 1, 1)


@op("_image_normalize", aliases=("_npx__image_normalize",), shape=_normal_shape, dtype=numeric)
def normalize(xp, data, *, mean: Floats = _UNSET, std: Floats = _UNIT):
    """``(data - mean) / std``, channel by channel, of ([batch,] channel, height, width).

    mean, std : one number for all channels (1 or 3), or one for each. Source: MXNet operator
    image.normalize.

    >>> x = mx.nd.ones((3, 1, 1))
    >>> mx.nd.image.normalize(x, mean=(0, 1, 2), std=(2,)).asnumpy().ravel()
    array([ 0.5,  0. , -0.5], dtype=float32)
    """
    x = widen(xp, data)
    return (x - _by_channel(xp, mean, data)) / _by_channel(xp, std, data)


@op("_backward_image_normalize", shape=_normal_shape, dtype=numeric)
def backward_normalize(xp, dy, *, std: Floats, mean: Floats = _UNSET):
    """Gradient of `normalize`."""
    return widen(xp, dy) / _by_channel(xp, std, dy)


@normalize.gradient("data")
def _(dy, std):
    return backward_normalize(dy, std=std)


@backward_normalize.gradient("dy")
def _(d_output, std):
    return backward_normalize(d_output, std=std)


normalize.sample(data=normal(3, 4, 5), mean=(0.4, 0.5, 0.6), std=(0.2, 0.3, 0.5))
normalize.sample(data=normal(2, 1, 3, 2), mean=(0.4,), std=(0.2,))
backward_normalize.sample(dy=normal(3, 4, 5), std=(0.2, 0.3, 0.5))


# ---- crop, resize ------------------------------------------------------------------------------


def _crop_shape(attrs: Attrs, data: Sequence[int]) -> tuple[int, ...]:
    check_image(data)
    height, width = data[-3:-1]
    if min(attrs.width, attrs.height) < 1 or min(attrs.x, attrs.y) < 0:
        raise MXNetError("width and height must be positive, x and y not negative")
    if attrs.x + attrs.width > width or attrs.y + attrs.height > height:
        raise MXNetError(
            f"a part of width {attrs.width} at x={attrs.x} and height {attrs.height} at "
            f"y={attrs.y} reaches outside of an image of width {width} and height {height}"
        )
    return (*data[:-3], attrs.height, attrs.width, data[-1])


@op("_image_crop", aliases=("_npx__image_crop",), shape=forward(_crop_shape))
def crop(xp, data, *, x: int, y: int, width: int, height: int):
    """The part of images that is `width` by `height` pixels large, its top left corner at (x, y).

    Source: MXNet operator image.crop.

    >>> image = mx.nd.arange(6).reshape((2, 3, 1))
    >>> mx.nd.image.crop(image, x=1, y=0, width=2, height=1).asnumpy().ravel()
    array([1., 2.], dtype=float32)
    """
    return data[..., y : y + height, x : x + width, :]


@crop.gradient("data")
def _(dy, data, x, y, width, height):
    lead = (None,) * (len(data.shape) - 3)
    return place(
        dy, shape=data.shape, begin=(*lead, y, x, None), end=(*lead, y + height, x + width, None)
    )


crop.sample(data=normal(4, 5, 3), x=1, y=2, width=3, height=2)
crop.sample(data=normal(2, 4, 5, 1), x=0, y=0, width=5, height=1)


def _target(size: Sequence[int], keep_ratio: bool, data: Sequence[int]) -> tuple[int, int]:
    """Height and width of the result."""
    if len(size) == 2:
        return size[1], size[0]
    if not keep_ratio:
        return size[0], size[0]
    height, width = data[-3:-1]
    short = min(height, width)
    return height * size[0] // short, width * size[0] // short


def _resize_shape(attrs: Attrs, data: Sequence[int]) -> tuple[int, ...]:
    check_image(data)
    if len(attrs.size) not in (1, 2) or min(attrs.size) < 1:
        raise MXNetError(f"size must be 1 or 2 positive numbers, got {tuple(attrs.size)}")
    if attrs.interp not in pixels.INTERPOLATIONS:
        raise MXNetError(f"interp must be 0 to {max(pixels.INTERPOLATIONS)}, got {attrs.interp}")
    if not min(data[-3:-1]):
        raise MXNetError("an image without pixels cannot be resized")
    return (*data[:-3], *_target(attrs.size, attrs.keep_ratio, data), data[-1])


@op("_image_resize", aliases=("_npx__image_resize",), shape=forward(_resize_shape), dtype=numeric)
def resize(xp, data, *, size: Shape = (), keep_ratio: bool = False, interp: int = 1):
    """Images of another size: (width, height), or one number for both.

    With `keep_ratio` one number is the length of the shorter side. interp : 0 the nearest pixel,
    1 bilinear, 2 bicubic, 3 mean of the area, 4 Lanczos over 8 by 8 pixels, 5 bilinear. Source:
    MXNet operator image.resize.

    >>> image = mx.nd.array([[[0], [2]]])
    >>> mx.nd.image.resize(image, size=(4, 1)).asnumpy().ravel()
    array([0. , 0.5, 1.5, 2. ], dtype=float32)
    """
    height, width = _target(size, keep_ratio, data.shape)
    if xp is not np or data.dtype.name not in pixels.RESIZABLE:
        return pixels.resample(xp, data, (height, width), interp)
    if data.ndim == 3:
        return pixels.resize(data, width, height, interp)
    out = np.empty((len(data), height, width, data.shape[-1]), data.dtype)
    for i, image in enumerate(data):
        out[i] = pixels.resize(image, width, height, interp)
    return out


for _interp in pixels.INTERPOLATIONS:
    resize.sample(data=uniform(4, 5, 3, high=255), size=(3, 6), interp=_interp)
resize.sample(
    data=integers(2, 4, 6, 1, high=256), size=(3,), keep_ratio=True, _dtypes=("uint8", "float32")
)


# ---- flips -------------------------------------------------------------------------------------


def _one_image(attrs: Attrs, data: Sequence[int]) -> tuple[int, ...]:
    check_image(data, batches=False)
    return tuple(data)


@op(
    "_image_flip_left_right",
    aliases=("_npx__image_flip_left_right",),
    shape=forward(_one_image),
)
def flip_left_right(xp, data):
    """The image, left and right exchanged.  Source: MXNet operator image.flip_left_right.

    >>> mx.nd.image.flip_left_right(mx.nd.array([[[1], [2], [3]]])).asnumpy().ravel()
    array([3., 2., 1.], dtype=float32)
    """
    return xp.flip(data, 1)


@op(
    "_image_flip_top_bottom",
    aliases=("_npx__image_flip_top_bottom",),
    shape=forward(_one_image),
)
def flip_top_bottom(xp, data):
    """The image upside down.  Source: MXNet operator image.flip_top_bottom.

    >>> mx.nd.image.flip_top_bottom(mx.nd.array([[[1]], [[2]]])).asnumpy().ravel()
    array([2., 1.], dtype=float32)
    """
    return xp.flip(data, 0)


@flip_left_right.gradient("data")
def _(dy):
    return flip_left_right(dy)


@flip_top_bottom.gradient("data")
def _(dy):
    return flip_top_bottom(dy)


def _random_flip(name: str, flip: Op, axis: int) -> Op:
    """The operator that flips in half of the calls; its hidden output says whether it did."""

    def body(xp, data, *, rng):
        flipped = rng.uniform((1,)) < 0.5
        return xp.where(flipped, xp.flip(data, axis), data), flipped

    body.__doc__ = f"""The image, in half of the calls as `{flip.__name__}` gives it.

    Source: MXNet operator image.{name}.

    >>> mx.nd.image.{name}(mx.nd.ones((2, 2, 3))).shape
    (2, 2, 3)
    """
    made = op(
        f"_image_{name}",
        aliases=(f"_npx__image_{name}",),
        shape=forward(lambda attrs, data: [_one_image(attrs, data), (1,)]),
        outputs=("output", "flipped"),
        visible=1,
        counted=lambda attrs: 1,
    )(body)

    @made.gradient("data")
    def _(dy, flipped):
        return flip(dy) * flipped + dy * (1 - flipped)

    made.sample(data=normal(3, 4, 3), _grad=())
    return made


random_flip_left_right = _random_flip("random_flip_left_right", flip_left_right, 1)
random_flip_top_bottom = _random_flip("random_flip_top_bottom", flip_top_bottom, 0)
for _op in (flip_left_right, flip_top_bottom):
    _op.sample(data=normal(3, 4, 3))
