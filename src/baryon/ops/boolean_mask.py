"""Slices that a mask selects: how many there are depends on the mask's values."""

from __future__ import annotations

from typing import Any

from ..base import MXNetError
from .attrs import Attrs
from .op import op
from .reshape import normalize
from .rules import forward, known, uniform_among
from .samples import constant, normal


def _unknown(attrs: Attrs, ins: list, outs: list) -> tuple[list, list]:
    data, index = ins
    if data is not None:
        axis = normalize(attrs.axis, len(data))
        if known(data) and known(index) and index != (data[axis],):
            raise MXNetError(f"index has shape {index}, expected ({data[axis]},)")
    return ins, outs


def _selected(data: Any, index: Any, axis: int) -> tuple:
    """Where the selected slices are in an array of this rank."""
    axis = normalize(axis, data.ndim)
    if index.shape != (data.shape[axis],):
        raise MXNetError(
            f"operator boolean_mask: index has shape {index.shape}, expected ({data.shape[axis]},)"
        )
    return (slice(None),) * axis + (index != 0,)


@op(
    "_contrib_boolean_mask",
    aliases=("_npi_boolean_mask",),
    shape=_unknown,
    dtype=uniform_among(0),
    dynamic=True,
)
def boolean_mask(xp: Any, data: Any, index: Any, *, axis: int = 0) -> Any:
    """The slices of `data` along `axis` where `index`, one number a slice, is not 0.

    Source: MXNet operator contrib.boolean_mask.

    >>> x = mx.nd.array([[1, 2], [3, 4], [5, 6]])
    >>> mx.nd.contrib.boolean_mask(x, mx.nd.array([0, 1, 0])).asnumpy()
    array([[3., 4.]], dtype=float32)
    """
    return data[_selected(data, index, axis)]


def _like_data(attrs: Attrs, dy: tuple, data: tuple, index: tuple) -> tuple:
    return data


@op("_backward_boolean_mask", shape=forward(_like_data), dtype=uniform_among(0, 1))
def backward_boolean_mask(xp: Any, dy: Any, data: Any, index: Any, *, axis: int = 0) -> Any:
    """Gradient of `boolean_mask`: zeros, with `dy` in the selected slices."""
    out = xp.zeros_like(data)
    out[_selected(data, index, axis)] = dy
    return out


@boolean_mask.gradient("data")
def _(dy: Any, data: Any, index: Any, axis: int) -> Any:
    return backward_boolean_mask(dy, data, index, axis=axis)


@op(
    "_boolean_mask_like",
    shape=forward(lambda a, data, index, like: like),
    dtype=uniform_among(0),
    derived=True,
)
def boolean_mask_like(xp: Any, data: Any, index: Any, like: Any, *, axis: int = 0) -> Any:
    """`boolean_mask` where the result is known to be as large as `like`."""
    return data[_selected(data, index, axis)]


@backward_boolean_mask.gradient("dy")
def _(d_output: Any, dy: Any, index: Any, axis: int) -> Any:
    return boolean_mask_like(d_output, index, dy, axis=axis)


@boolean_mask_like.gradient("data")
def _(dy: Any, data: Any, index: Any, axis: int) -> Any:
    return backward_boolean_mask(dy, data, index, axis=axis)


_INDEX = constant([1, 0, 2, 1])
backward_boolean_mask.sample(dy=normal(2, 3, 2), data=normal(2, 4, 2), index=_INDEX, axis=1)
boolean_mask_like.sample(data=normal(4, 2), index=_INDEX, like=normal(3, 2))
