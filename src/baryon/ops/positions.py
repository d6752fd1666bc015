"""Positions of extremes: argmax, argmin, argmax_channel."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ..base import MXNetError
from .attrs import Attrs
from .broadcast import axes_of, reduced_shape
from .op import Op, op
from .rules import forward
from .samples import constant, distinct


def _arg_shape(a: Attrs, data: tuple[int, ...]) -> tuple[int, ...]:
    axes = axes_of(None if a.axis is None else (a.axis,), len(data))
    return reduced_shape(data, axes, a.keepdims)


def _arg_params(a: Attrs, ins: Any, outs: Any) -> tuple[int, ...]:
    return axes_of(None if a.axis is None else (a.axis,), len(ins[0].shape))


def _upgrade(version: int, attrs: dict[str, str]) -> dict[str, str | None]:
    """Before 0.9.5 an axis of -1 meant the flattened data."""
    return {"axis": None} if version < 905 and attrs.get("axis") == "-1" else {}


def arg_reduction(name: str, word: str, example: str) -> Op:
    """Declare ``argmax`` or ``argmin``."""

    def run(xp: Any, data: Any, *, axis: int | None = None, keepdims: bool = False) -> Any:
        axes = axes_of(None if axis is None else (axis,), data.ndim)
        found = getattr(xp, name)(data, axis=axis)
        return found.reshape(reduced_shape(data.shape, axes, keepdims))

    run.__name__ = name
    run.__doc__ = (
        f"Index of the {word} value along `axis`, or in the flattened data, as `data`'s dtype.\n\n"
        "The first of several; a NaN wins. float16 holds indices exactly only up to 2048.\n"
        "keepdims: leave the axis with size 1.\n"
        f"(MXNet operator ``{name}``.)\n\n"
        f"    >>> mx.nd.{name}(mx.nd.array([[1.0, 5.0, 5.0], [4.0, 0.0, 2.0]]), axis=1).asnumpy()\n"
        f"    array({example}, dtype=float32)\n    "
    )
    made = op(name, shape=forward(_arg_shape), kernel=True, params=_arg_params, upgrade=_upgrade)(
        run
    )
    made.gradient("data")(lambda dy: None)
    made.sample(data=distinct(2, 3, 4), _grad=())
    made.sample(data=distinct(2, 3, 4), axis=1, keepdims=True, _grad=())
    made.sample(data=constant([[1.0, 2.0, 2.0], [1.0, 1.0, 2.0]]), axis=-1, _grad=())
    return made


arg_reduction("argmax", "largest", "[1., 0.]")
arg_reduction("argmin", "smallest", "[0., 1.]")


def _without_channels(attrs: Attrs, data: Sequence[int]) -> tuple[int, ...]:
    if len(data) < 2:
        raise MXNetError(f"data has {len(data)} axes, expected at least 2")
    return (*data[:1], *data[2:])


@op(
    "argmax_channel",
    shape=forward(_without_channels),
    kernel="argmax",
    params=lambda a, ins, outs: (1,),
)
def argmax_channel(xp: Any, data: Any) -> Any:
    """Index of the largest value along axis 1, as `data`'s dtype.

    (MXNet operator ``argmax_channel``.)

    >>> mx.nd.argmax_channel(mx.nd.array([[1.0, 5.0], [4.0, 0.0]])).asnumpy()
    array([1., 0.], dtype=float32)
    """
    return xp.argmax(data, axis=1)


argmax_channel.gradient("data")(lambda dy: None)
argmax_channel.sample(data=distinct(2, 3, 4), _grad=())
