"""Operators of the NumPy interface that move the elements of one array: permutations, turns."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ..base import MXNetError
from .attrs import Attrs, Shape
from .broadcast import repeated, unbroadcast
from .op import get, op
from .reshape import normalize_all
from .rules import forward, same
from .samples import normal
from .shape import permutation, transpose
from .strided import permuted

# ---- permutations --------------------------------------------------------------------------------


def _axes(attrs: Attrs, ndim: int) -> tuple[int, ...]:
    axes = tuple(reversed(range(ndim))) if attrs.axes is None else normalize_all(attrs.axes, ndim)
    if len(axes) != ndim:
        raise MXNetError(f"axes {attrs.axes} do not name all {ndim} dimensions")
    return axes


@op(
    "_np_transpose",
    shape=permutation(_axes),
    kernel="_strided_read",
    params=lambda a, ins, outs: permuted(ins[0].shape, _axes(a, len(ins[0].shape))),
    onnx="Transpose",
)
def np_transpose(xp: Any, a: Any, *, axes: Shape | None = None) -> Any:
    """Axis i of the result is axis ``axes[i]`` of `a`; without `axes` their order is reversed.

    (MXNet ``mx.np.transpose``.)

    >>> mx.np.transpose(mx.np.zeros((2, 3, 4)), (0, 2, 1)).shape
    (2, 4, 3)
    """
    return xp.transpose(a, axes)


def _undone(dy: Any, axes: Sequence[int]) -> Any:
    return transpose(dy, axes=tuple(axes.index(i) for i in range(len(axes)))) if axes else dy


@np_transpose.gradient("a")
def _(dy: Any, a: Any, attrs: Attrs) -> Any:
    return _undone(dy, _axes(attrs, len(a.shape)))


np_transpose.sample(a=normal(2, 3, 4), axes=(2, 0, -2))
np_transpose.sample(a=normal(2, 3))
np_transpose.sample(a=normal())


def _moved(attrs: Attrs, ndim: int) -> tuple[int, ...]:
    """The order of axes after moving `source` to `destination`."""
    source, target = (normalize_all(x, ndim) for x in (attrs.source, attrs.destination))
    if len(source) != len(target):
        raise MXNetError(f"source {attrs.source} and destination {attrs.destination} differ")
    order = [i for i in range(ndim) if i not in source]
    for place, axis in sorted(zip(target, source, strict=True)):
        order.insert(place, axis)
    return tuple(order)


@op(
    "_np_moveaxis",
    shape=permutation(_moved),
    kernel="_strided_read",
    params=lambda a, ins, outs: permuted(ins[0].shape, _moved(a, len(ins[0].shape))),
)
def moveaxis(xp: Any, a: Any, *, source: Shape, destination: Shape) -> Any:
    """`a` with its axes `source` at the places `destination`; the others keep their order.

    (MXNet ``mx.np.moveaxis``.)

    >>> mx.np.moveaxis(mx.np.zeros((2, 3, 4)), 0, -1).shape
    (3, 4, 2)
    """
    return xp.transpose(a, _moved(Attrs(source=source, destination=destination), a.ndim))


@moveaxis.gradient("a")
def _(dy: Any, a: Any, attrs: Attrs) -> Any:
    return _undone(dy, _moved(attrs, len(a.shape)))


moveaxis.sample(a=normal(2, 3, 4), source=(0,), destination=(2,))
moveaxis.sample(a=normal(2, 3, 4), source=(0, 1), destination=(-1, 0))

# ---- turns ---------------------------------------------------------------------------------------


def _flipped(attrs: Attrs, ins: Sequence[Any], outs: Sequence[Any]) -> Any:
    axes = tuple(range(len(ins[0].shape))) if attrs.axis is None else attrs.axis
    return get("reverse").params(Attrs(axis=axes), ins, outs)


@op("_npi_flip", shape=same, kernel="_strided_read", params=_flipped)
def np_flip(xp: Any, data: Any, *, axis: Shape | None) -> Any:
    """The elements in reverse order along the axes in `axis` (None: all).

    (MXNet ``mx.np.flip``.)

    >>> mx.np.flip(mx.np.array([[1, 2], [3, 4]])).tolist()
    [[4.0, 3.0], [2.0, 1.0]]
    """
    return xp.flip(data, axis)


@np_flip.gradient("data")
def _(dy: Any, axis: Any) -> Any:
    return np_flip(dy, axis=axis)


np_flip.sample(data=normal(2, 3, 4), axis=(0, 2))
np_flip.sample(data=normal(2, 3), axis=None)
np_flip.sample(data=normal(), axis=())


def _turned_axes(axes: Sequence[int] | None, ndim: int) -> tuple[int, ...]:
    found = normalize_all((0, 1) if axes is None else axes, ndim)
    if len(found) != 2:
        raise MXNetError(f"axes {axes} are not two axes")
    return found


def _turned(attrs: Attrs, data: Sequence[int]) -> tuple[int, ...]:
    one, two = _turned_axes(attrs.axes, len(data))
    shape = list(data)
    if attrs.k % 2:
        shape[one], shape[two] = shape[two], shape[one]
    return tuple(shape)


@op("_npi_rot90", shape=forward(_turned))
def rot90(xp: Any, data: Any, *, k: int = 1, axes: Shape | None = None) -> Any:
    """`data` turned `k` times by 90 degrees from the first of `axes` towards the second.

    (MXNet ``mx.np.rot90``, whose gradient is wrong for odd `k`; this one is right.)

    >>> mx.np.rot90(mx.np.array([[1.0, 2.0], [3.0, 4.0]])).tolist()
    [[2.0, 4.0], [1.0, 3.0]]
    """
    return xp.rot90(data, k, _turned_axes(axes, data.ndim))


@rot90.gradient("data")
def _(dy: Any, k: int, axes: Any) -> Any:
    return rot90(dy, k=-k, axes=axes)


rot90.sample(data=normal(2, 3))
rot90.sample(data=normal(2, 3, 2), k=2, axes=(0, 2))
rot90.sample(data=normal(2, 3), k=-1, axes=(1, 0))


def _rolls(attrs: Attrs, ndim: int) -> list[tuple[int, int]]:
    """(shift, axis) of each roll."""
    if attrs.shift is None:
        raise MXNetError("attribute shift is required")
    axes = normalize_all(attrs.axis, ndim)
    shifts = attrs.shift * len(axes) if len(attrs.shift) == 1 else attrs.shift
    if len(shifts) != len(axes):
        raise MXNetError(f"shift {attrs.shift} and axis {attrs.axis} differ in length")
    return list(zip(shifts, axes, strict=True))


def _rolled(attrs: Attrs, data: Sequence[int]) -> tuple[int, ...]:
    if None in (attrs.shift or ()):
        raise MXNetError(f"shift {attrs.shift} must be integers")
    if attrs.axis is not None:
        _rolls(attrs, len(data))
    elif attrs.shift is None or len(attrs.shift) != 1:
        raise MXNetError(f"without axis, shift is one number, got {attrs.shift}")
    return tuple(data)


@op("_np_roll", shape=forward(_rolled))
def roll(xp: Any, data: Any, *, shift: Shape | None = None, axis: Shape | None = None) -> Any:
    """Elements moved on by `shift` along each of `axis`; what leaves the end enters the front.

    Without `axis` the flattened array is rolled; one `shift` serves all axes.
    (MXNet ``mx.np.roll``.)

    >>> mx.np.roll(mx.np.array([1.0, 2.0, 3.0]), 1).tolist()
    [3.0, 1.0, 2.0]
    """
    if axis is None:
        return xp.roll(data, shift[0])
    for by, along in _rolls(Attrs(shift=shift, axis=axis), data.ndim):
        data = xp.roll(data, by, along)
    return data


@roll.gradient("data")
def _(dy: Any, shift: Any, axis: Any) -> Any:
    return roll(dy, shift=tuple(-s for s in shift), axis=axis)


roll.sample(data=normal(2, 4), shift=(1,), axis=(1,))
roll.sample(data=normal(2, 4), shift=(3,))
roll.sample(data=normal(2, 4, 3), shift=(1, -2), axis=(0, -1))

# ---- repetition ----------------------------------------------------------------------------------


def _spread(attrs: Attrs, array: Sequence[int]) -> tuple[int, ...]:
    """The attribute `shape`, whose negative entries keep the size of `array`."""
    offset = len(attrs.shape) - len(array)
    shape = tuple(
        array[i - offset] if n < 0 and i >= offset else n for i, n in enumerate(attrs.shape)
    )
    repeated(tuple(array), shape)
    return shape


@op(
    "_npi_broadcast_to",
    shape=forward(_spread),
    kernel="broadcast_to",
    params=lambda a, ins, outs: repeated(ins[0].shape, outs[0].shape),
    onnx="Expand",
)
def np_broadcast_to(xp: Any, array: Any, *, shape: Shape = ()) -> Any:
    """`array` repeated to `shape`, in which -1 (or -2) keeps its size.

    (MXNet ``mx.np.broadcast_to``.)

    >>> mx.np.broadcast_to(mx.np.array([[1.0], [2.0]]), (2, 2)).tolist()
    [[1.0, 1.0], [2.0, 2.0]]
    """
    full = _spread(Attrs(shape=shape), array.shape)
    return xp.ascontiguousarray(xp.broadcast_to(array, full)).reshape(full)


@np_broadcast_to.gradient("array")
def _(dy: Any, array: Any) -> Any:
    return unbroadcast(dy, shape=array.shape)


np_broadcast_to.sample(array=normal(2, 1), shape=(3, 2, 4))
np_broadcast_to.sample(array=normal(), shape=(2, 2))
np_broadcast_to.sample(array=normal(1, 3), shape=(2, -1))
np_broadcast_to.sample(array=normal(1, 0), shape=(2, 0))


@op("_npi_share_memory", shape=forward(lambda attrs, a, b: ()), dtype="bool")
def share_memory(xp: Any, a: Any, b: Any) -> Any:
    """Whether two arrays may share memory.  (MXNet ``mx.np.shares_memory``.)

    >>> bool(mx.np.shares_memory(mx.np.ones(2), mx.np.ones(2)))
    False
    """
    return xp.full((), xp.may_share_memory(a, b))


share_memory.sample(a=normal(2, 3), b=normal(4), _grad=())
