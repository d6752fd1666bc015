"""How operators on images say that all of these lie channels last, ``(batch, *space, channels)``.

Tensor cores want them so. Weights of convolutions are images in this sense, too.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

from .attrs import Attrs
from .convolution import backward_data, backward_weight, convolution
from .join import concat
from .norm import backward_batch_norm, batch_norm
from .op import Op, op
from .pooling import backward_pooling, pooling
from .samples import normal


class Form(NamedTuple):
    """The form of a call on images of two spatial axes that lie channels last.

    images, outputs : positions of these tensors; None: all inputs.    heavy : it pays to turn them
    around; else the form only serves images that lie so already.    change : attributes -> those
    that differ in it, or None where there is no such form.
    """

    images: tuple[int, ...] | None
    outputs: tuple[int, ...]
    heavy: bool
    change: Callable[[Attrs], dict[str, Any] | None]


def turned(shape: tuple[int, ...]) -> tuple[int, ...]:
    """``(batch, channels, *space)`` as ``(batch, *space, channels)``."""
    return (shape[0], *shape[2:], shape[1])


@op("_to_channels_last", shape=lambda a, ins, outs: (ins, [turned(ins[0])]), derived=True)
def to_last(xp: Any, data: Any) -> Any:
    """An image ``(batch, channels, *space)`` with its channels last."""
    return xp.moveaxis(data, 1, -1)


@op(
    "_to_channels_first",
    shape=lambda a, ins, outs: (ins, [(ins[0][0], ins[0][-1], *ins[0][1:-1])]),
    derived=True,
)
def to_first(xp: Any, data: Any) -> Any:
    """The reverse of ``_to_channels_last``."""
    return xp.moveaxis(data, -1, 1)


def _by_layout(attrs: Attrs) -> dict[str, Any] | None:
    if attrs.layout not in (None, "NCHW"):
        return None
    shape = {"shape": turned(attrs.shape)} if "shape" in attrs else {}
    return {"layout": "NHWC", **shape}


def _by_axis(name: str) -> Callable[[Attrs], dict[str, Any] | None]:
    return lambda attrs: {name: 3} if attrs[name] in (1, -3) else None


def _declare(
    own: Op, images: Any, outputs: tuple[int, ...], change: Callable, heavy: bool = False
) -> None:
    places = None if images is None else tuple(map(own.inputs.index, images))
    own.channels_last = Form(places, outputs, heavy, change)


_declare(convolution, ("data", "weight"), (0,), _by_layout, heavy=True)
_declare(backward_data, ("head", "weight"), (0,), _by_layout, heavy=True)
_declare(backward_weight, ("head", "data"), (0,), _by_layout, heavy=True)
_declare(pooling, ("data",), (0,), _by_layout)
_declare(backward_pooling, ("head", "data"), (0,), _by_layout)
_declare(batch_norm, ("data",), (0,), _by_axis("axis"))
_declare(backward_batch_norm, ("dy", "data"), (0,), _by_axis("axis"))
_declare(concat, None, (0,), _by_axis("dim"))

to_last.sample(data=normal(2, 3, 5, 4))
to_last.sample(data=normal(1, 40, 7, 10))
to_first.sample(data=normal(2, 5, 4, 3))
to_first.sample(data=normal(1, 10, 7, 40))
