"""Operators that change the colours of an image (height, width, channel), mostly at random.

They serve images of 1 or 3 channels of any type; an integral result is cut towards zero and kept
within the type's range. Gradients pass through all of them unchanged, as in MXNet.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from ..base import MXNetError
from .attrs import Attrs, Floats
from .device import fixed
from .image import check_colors
from .numeric import numeric, widen
from .op import Op, op
from .rules import forward
from .samples import integers, uniform

_LUMA = (0.299, 0.587, 0.114)  # Rec. 601: how bright red, green and blue look
# Principal components of the colours of ImageNet, each times its standard deviation of 0..255
# (Krizhevsky et al., NeurIPS 2012).
_COMPONENTS = np.array(
    [
        [55.46 * -0.5675, 4.794 * 0.7192, 1.148 * 0.4009],
        [55.46 * -0.5808, 4.794 * -0.0045, 1.148 * -0.8140],
        [55.46 * -0.5836, 4.794 * -0.6948, 1.148 * 0.4203],
    ]
)


# ---- what the operators do to an image of floats -----------------------------------------------


def _brighter(xp: Any, x: Any, factor: Any) -> Any:
    return x * factor


def _gray(xp: Any, x: Any) -> Any:
    """How bright every pixel is: (height, width, 1)."""
    return x if x.shape[-1] == 1 else (x * fixed(xp, _LUMA, x.dtype)).sum(-1, keepdims=True)


def _contrasted(xp: Any, x: Any, factor: Any) -> Any:
    return x * factor + _gray(xp, x).mean() * (1 - factor) if x.size else x


def _saturated(xp: Any, x: Any, factor: Any) -> Any:
    return x if x.shape[-1] == 1 else x * factor + _gray(xp, x) * (1 - factor)


def _turned(xp: Any, x: Any, turns: Any) -> Any:
    """The image with every hue moved on by some turns of the colour circle."""
    if x.shape[-1] == 1:
        return x
    high, low = x.max(-1), x.min(-1)
    chroma = high - low
    safe = xp.where(chroma > 0, chroma, 1)
    r, g, b = x[..., 0], x[..., 1], x[..., 2]
    hue = xp.where(
        high == r, (g - b) / safe, xp.where(high == g, 2 + (b - r) / safe, 4 + (r - g) / safe)
    )
    at = (hue[..., None] + turns * 6 + fixed(xp, [0, 4, 2], x.dtype)) % 6
    share = xp.clip(xp.abs(at - 3) - 1, 0, 1)  # of the chroma: red is full around hue 0
    return low[..., None] + share * chroma[..., None]


def _lit(xp: Any, x: Any, alpha: Any) -> Any:
    return x if x.shape[-1] == 1 else x + (fixed(xp, _COMPONENTS) @ alpha).astype(x.dtype)


# ---- declarations ------------------------------------------------------------------------------


def _colors(attrs: Attrs, data: Sequence[int]) -> tuple[int, ...]:
    check_colors(data)
    low = attrs.get("min_factor", 0)
    if low < 0:
        raise MXNetError(f"min_factor is {low}, expected 0 or more")
    for name in ("brightness", "contrast", "saturation", "hue"):
        if attrs.get(name, 0) < 0:
            raise MXNetError(f"{name} is {attrs[name]}, expected 0 or more")
    if len(attrs.get("alpha", (0, 0, 0))) != 3:
        raise MXNetError(f"alpha has {len(attrs.alpha)} entries, expected 3")
    return tuple(data)


def _color_op(name: str) -> Callable[[Callable], Op]:
    """Declare a colour operator whose body maps an image of floats to one."""

    def declare(body: Callable) -> Op:
        made = op(
            f"_image_{name}",
            aliases=(f"_npx__image_{name}",),
            shape=forward(_colors),
            dtype=numeric,
        )(body)

        @made.gradient("data")
        def _(dy):
            return dy

        return made

    return declare


def _cut(xp: Any, values: Any, dtype: np.dtype) -> Any:
    """Values as `dtype`: cut towards zero and kept in its range where it is integral."""
    if np.dtype(dtype).kind in "iu":
        limits = np.iinfo(dtype)
        values = xp.clip(xp.trunc(values), limits.min, limits.max)
    return values.astype(dtype)


def _kept(xp: Any, data: Any, change: Callable, *args: Any) -> Any:
    """`change` of an image of floats, in the type of `data`."""
    return _cut(xp, change(xp, widen(xp, data), *args), data.dtype)


def _between(rng: Any, low: float, high: float) -> Any:
    return low + rng.uniform((1,)) * (high - low)


@_color_op("adjust_lighting")
def adjust_lighting(xp, data, *, alpha: Floats):
    """The image plus the principal components of ImageNet's colours, times the 3 numbers `alpha`.

    Source: Krizhevsky et al., NeurIPS 2012; MXNet operator image.adjust_lighting.

    >>> mx.nd.image.adjust_lighting(mx.nd.zeros((1, 1, 3)), alpha=(0, 1, 0)).asnumpy().round(2)
    array([[[ 3.45, -0.02, -3.33]]], dtype=float32)
    """
    return _kept(xp, data, _lit, fixed(xp, alpha))


@_color_op("random_lighting")
def random_lighting(xp, data, *, alpha_std: float = 0.05, rng):
    """`adjust_lighting` by Gaussian numbers of standard deviation `alpha_std`.

    Source: MXNet operator image.random_lighting.

    >>> mx.nd.image.random_lighting(mx.nd.zeros((1, 1, 3)), alpha_std=0).asnumpy().ravel()
    array([0., 0., 0.], dtype=float32)
    """
    return _kept(xp, data, _lit, rng.normal((3,)) * alpha_std)


@_color_op("random_brightness")
def random_brightness(xp, data, *, min_factor: float, max_factor: float, rng):
    """The image times a random factor between `min_factor` and `max_factor`.

    Source: MXNet operator image.random_brightness.

    >>> x = mx.nd.ones((1, 1, 3))
    >>> mx.nd.image.random_brightness(x, min_factor=2, max_factor=2).asnumpy().ravel()
    array([2., 2., 2.], dtype=float32)
    """
    return _kept(xp, data, _brighter, _between(rng, min_factor, max_factor))


@_color_op("random_contrast")
def random_contrast(xp, data, *, min_factor: float, max_factor: float, rng):
    """The image away from its mean brightness by a random factor from min_factor to max_factor.

    Source: MXNet operator image.random_contrast.

    >>> x = mx.nd.array([[[1], [3]]])
    >>> mx.nd.image.random_contrast(x, min_factor=0, max_factor=0).asnumpy().ravel()
    array([2., 2.], dtype=float32)
    """
    return _kept(xp, data, _contrasted, _between(rng, min_factor, max_factor))


@_color_op("random_saturation")
def random_saturation(xp, data, *, min_factor: float, max_factor: float, rng):
    """Colours away from the gray of their brightness by a random factor from min to max_factor.

    Source: MXNet operator image.random_saturation.

    >>> x = mx.nd.array([[[100, 0, 0]]])
    >>> mx.nd.image.random_saturation(x, min_factor=0, max_factor=0).asnumpy().ravel()
    array([29.9, 29.9, 29.9], dtype=float32)
    """
    return _kept(xp, data, _saturated, _between(rng, min_factor, max_factor))


@_color_op("random_hue")
def random_hue(xp, data, *, min_factor: float, max_factor: float, rng):
    """Hues moved on by a random part of the colour circle from `min_factor` to `max_factor`.

    Source: MXNet operator image.random_hue.

    >>> x = mx.nd.array([[[100, 50, 0]]])
    >>> mx.nd.image.random_hue(x, min_factor=0.5, max_factor=0.5).asnumpy().ravel()
    array([  0.,  50., 100.], dtype=float32)
    """
    return _kept(xp, data, _turned, _between(rng, min_factor, max_factor))


_CHANGES = (_brighter, _contrasted, _saturated, _turned)


@_color_op("random_color_jitter")
def random_color_jitter(
    xp, data, *, brightness: float, contrast: float, saturation: float, hue: float, rng
):
    """Brightness, contrast, saturation and hue changed at random, in random order.

    Factors are at most as far from 1 as the attributes say, the hue moves at most by `hue` turns.
    Source: MXNet operator image.random_color_jitter.

    >>> x = mx.nd.ones((1, 1, 3))
    >>> mx.nd.image.random_color_jitter(x, brightness=0, contrast=0, saturation=0,
    ...                                 hue=0).asnumpy().ravel()
    array([1., 1., 1.], dtype=float32)
    """
    spans = (brightness, contrast, saturation, hue)
    order, draws = rng.uniform((4,)), rng.uniform((4,))
    x = widen(xp, data)
    for k in map(int, xp.argsort(order)):
        if spans[k] > 0:
            base = 0 if _CHANGES[k] is _turned else 1
            x = _CHANGES[k](xp, x, (base + (2 * draws[k] - 1) * spans[k]).astype(x.dtype))
    return _cut(xp, x, data.dtype)


for _op in (random_brightness, random_contrast, random_saturation, random_hue):
    _op.sample(data=uniform(2, 3, 3, high=255), min_factor=0.6, max_factor=1.4, _grad=())
    _op.sample(
        data=integers(2, 3, 3, high=256), min_factor=0, max_factor=2, _dtypes=("uint8",), _grad=()
    )
adjust_lighting.sample(data=uniform(2, 3, 3, high=255), alpha=(0.1, -0.2, 0.3))
random_lighting.sample(data=uniform(2, 3, 3, high=255), _grad=())
random_color_jitter.sample(
    data=uniform(2, 3, 3, high=255), brightness=0.4, contrast=0.3, saturation=0.2, hue=0.1, _grad=()
)
