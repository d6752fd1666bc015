"""Functions of the NumPy interface that arrange the elements of an array."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from .call import accelerated, call, is_tensor, require_tensors

__all__ = [
    "broadcast_arrays", "broadcast_to", "diag", "diagflat", "diagonal", "expand_dims", "flip",
    "fliplr", "flipud", "meshgrid", "pad", "ravel", "repeat", "roll", "rot90", "shape",
    "swapaxes", "tile", "trace",
]  # fmt: skip


def shape(a: Any) -> tuple[int, ...]:
    """The sizes of the dimensions.

    >>> mx.np.shape(mx.np.zeros((2, 3)))
    (2, 3)
    """
    require_tensors("shape", a)
    return a.shape


def ravel(x: Any, order: str = "C") -> Any:
    """All elements along one axis, row by row.

    >>> mx.np.ravel(mx.np.ones((2, 3))).shape
    (6,)
    """
    if order != "C":
        raise NotImplementedError(f"ravel: order must be 'C', got {order!r}")
    return x if not is_tensor(x) else call("_npx_reshape", x, newshape=-1)


@accelerated("_npi_expand_dims")
def expand_dims(a: Any, axis: int) -> Any:
    """A new axis of size 1 at `axis`.

    >>> mx.np.expand_dims(mx.np.ones(3), 0).shape
    (1, 3)
    """
    return call("_npi_expand_dims", a, axis=axis)


def swapaxes(a: Any, axis1: int, axis2: int) -> Any:
    """The array with two axes exchanged.

    >>> mx.np.swapaxes(mx.np.ones((2, 3, 4)), 0, 2).shape
    (4, 3, 2)
    """
    return call("_npi_swapaxes", a, dim1=axis1, dim2=axis2)


def flip(m: Any, axis: int | Sequence[int] | None = None, out: Any = None) -> Any:
    """The elements in reverse order along one axis, some, or all (None).

    >>> mx.np.flip(mx.np.arange(3))
    array([2., 1., 0.])
    """
    return call("_npi_flip", m, out=out, axis=axis)


def flipud(m: Any) -> Any:
    """The rows in reverse order.

    >>> mx.np.flipud(mx.np.array([[1], [2]])).tolist()
    [[2.0], [1.0]]
    """
    return flip(m, 0)


def fliplr(m: Any) -> Any:
    """The columns in reverse order.

    >>> mx.np.fliplr(mx.np.array([[1, 2]])).tolist()
    [[2.0, 1.0]]
    """
    return flip(m, 1)


def rot90(m: Any, k: int = 1, axes: Sequence[int] = (0, 1)) -> Any:
    """Turned `k` times by 90 degrees, from the first of `axes` towards the second.

    >>> mx.np.rot90(mx.np.array([[1, 2], [3, 4]])).tolist()
    [[2.0, 4.0], [1.0, 3.0]]
    """
    return call("_npi_rot90", m, k=k, axes=tuple(axes))


def roll(a: Any, shift: Any, axis: Any = None) -> Any:
    """The elements moved along an axis (None: the flattened array), the last ones to the front.

    >>> mx.np.roll(mx.np.arange(3), 1)
    array([2., 0., 1.])
    """
    return call("_np_roll", a, shift=shift, axis=axis)


@accelerated("_np_repeat")
def repeat(a: Any, repeats: int, axis: int | None = None) -> Any:
    """Each element `repeats` times along an axis (None: the flattened array).

    >>> mx.np.repeat(mx.np.array([1, 2]), 2)
    array([1., 1., 2., 2.])
    """
    return call("_np_repeat", a, repeats=repeats, axis=axis)


@accelerated("_npi_tile")
def tile(A: Any, reps: int | Sequence[int]) -> Any:
    """The array `reps` times, along one axis or several.

    >>> mx.np.tile(mx.np.array([1, 2]), 2)
    array([1., 2., 1., 2.])
    """
    return call("_npi_tile", A, reps=reps)


@accelerated("_npi_broadcast_to")
def broadcast_to(array: Any, shape: int | Sequence[int]) -> Any:
    """Repeated along new leading axes and axes of size 1 until it has a shape.

    >>> mx.np.broadcast_to(mx.np.array([1, 2]), (2, 2)).tolist()
    [[1.0, 2.0], [1.0, 2.0]]
    """
    return call("_npi_broadcast_to", array, shape=shape)


def broadcast_arrays(*args: Any) -> list:
    """All arrays repeated until they have their common shape.

    >>> [x.shape for x in mx.np.broadcast_arrays(mx.np.ones(2), mx.np.ones((3, 1)))]
    [(3, 2), (3, 2)]
    """
    require_tensors("broadcast_arrays", *args)
    common = np.broadcast_shapes(*(x.shape for x in args))
    return [x if x.shape == common else broadcast_to(x, common) for x in args]


def meshgrid(*xi: Any, **kwargs: Any) -> list:
    """Coordinates of a grid from the coordinates along each axis.

    indexing : "xy" (default: the first two axes swapped) or "ij".    sparse : leave axes at size 1.

    >>> [x.shape for x in mx.np.meshgrid(mx.np.ones(2), mx.np.ones(3))]
    [(3, 2), (3, 2)]
    """
    sparse, indexing = kwargs.pop("sparse", False), kwargs.pop("indexing", "xy")
    copy = kwargs.pop("copy", True)
    if kwargs:
        raise TypeError(f"meshgrid() got an unexpected keyword argument '{next(iter(kwargs))}'")
    if indexing not in ("xy", "ij"):
        raise ValueError("Valid values for `indexing` are 'xy' and 'ij'.")
    if not copy:
        raise NotImplementedError("meshgrid only supports copy=True")
    shapes = [[1] * i + [-1] + [1] * (len(xi) - i - 1) for i in range(len(xi))]
    if indexing == "xy" and len(xi) > 1:
        shapes[0][:2], shapes[1][:2] = [1, -1], [-1, 1]
    grids = [call("_np_reshape", x, newshape=tuple(s)) for x, s in zip(xi, shapes, strict=True)]
    return grids if sparse else broadcast_arrays(*grids)


def diag(array: Any, k: int = 0) -> Any:
    """The `k`-th diagonal of a matrix, or a matrix with this diagonal.

    >>> mx.np.diag(mx.np.array([1, 2])).tolist()
    [[1.0, 0.0], [0.0, 2.0]]
    """
    return call("_np_diag", array, k=k)


def diagflat(array: Any, k: int = 0) -> Any:
    """A matrix whose `k`-th diagonal is the flattened array.

    >>> mx.np.diagflat(mx.np.array([[1, 2]])).shape
    (2, 2)
    """
    return call("_np_diagflat", array, k=k)


def diagonal(a: Any, offset: int = 0, axis1: int = 0, axis2: int = 1) -> Any:
    """The diagonals over two axes, along a new last axis.

    >>> mx.np.diagonal(mx.np.array([[1, 2], [3, 4]]))
    array([1., 4.])
    """
    return call("_np_diagonal", a, offset=offset, axis1=axis1, axis2=axis2)


def trace(a: Any, offset: int = 0, axis1: int = 0, axis2: int = 1, out: Any = None) -> Any:
    """The sums of the diagonals over two axes.

    >>> mx.np.trace(mx.np.array([[1, 2], [3, 4]]))
    array(5.)
    """
    return call("_np_trace", a, out=out, offset=offset, axis1=axis1, axis2=axis2)


def pad(x: Any, pad_width: Any = None, mode: str = "constant", **kwargs: Any) -> Any:
    """Values put around the array; `pad_width` is (before, after) for each axis, or for all.

    mode : "constant" (`constant_values`, a number), "edge", "reflect", "symmetric" (with
           `reflect_type` "even"), "maximum" or "minimum".

    >>> mx.np.pad(mx.np.ones((1, 2)), ((0, 0), (1, 1)))
    array([[0., 1., 1., 0.]])
    """
    require_tensors("pad", x)
    allowed = {"constant": {"constant_values"}, "reflect": {"reflect_type"},
               "symmetric": {"reflect_type"}}  # fmt: skip
    if mode not in ("constant", "edge", "reflect", "symmetric", "maximum", "minimum"):
        raise ValueError(f"mode {mode!r} is not supported")
    for key in kwargs:
        if key not in allowed.get(mode, ()):
            raise ValueError(f"unsupported keyword argument for mode {mode!r}: {key}")
    if kwargs.get("reflect_type", "even") != "even":
        raise ValueError("unsupported reflect_type 'odd'")
    value = kwargs.get("constant_values", 0)
    if not np.isscalar(value):
        raise ValueError(f"pad: constant_values must be a number, got {value!r}")
    widths = pad_width
    if isinstance(pad_width, int) or np.ndim(pad_width) < 2:
        widths = np.broadcast_to(pad_width, (x.ndim, 2)).tolist()
    widths = tuple(tuple(int(n) for n in w) for w in widths)
    return call("_npi_pad", x, pad_width=widths, mode=mode, constant_value=value)
