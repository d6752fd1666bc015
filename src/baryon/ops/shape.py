"""Operators that move elements to other places of an array: permutations, repetition, blocks."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import prod

from ..base import MXNetError
from .attrs import Attrs, Shape
from .op import get, op
from .reshape import normalize, normalize_all, reshape_exactly
from .rules import forward, same, unify
from .samples import normal
from .strided import permuted, sliced, strides, view


def permutation(axes_of: Callable[[Attrs, int], Sequence[int]]):
    """A two-way shape rule for an operator that orders axes as ``axes_of(attrs, ndim)``."""

    def rule(attrs: Attrs, ins: list, outs: list) -> tuple[list, list]:
        data, out = ins[0], outs[0]
        ndim = len(data) if data is not None else len(out) if out is not None else None
        if ndim is None:
            return ins, outs
        axes = axes_of(attrs, ndim)
        if data is not None:
            out = unify(tuple(data[a] for a in axes), out)
        if out is not None and len(out) == ndim:
            data = unify(data, tuple(out[axes.index(i)] for i in range(ndim)))
        return [data], [out]

    return rule


def _axes(attrs: Attrs, ndim: int) -> tuple[int, ...]:
    axes = normalize_all(attrs.axes, ndim) or tuple(reversed(range(ndim)))
    if len(axes) != ndim:
        raise MXNetError(f"axes {attrs.axes} do not name all {ndim} dimensions")
    return axes


@op(
    "transpose",
    shape=permutation(_axes),
    kernel="_strided_read",
    params=lambda a, ins, outs: permuted(ins[0].shape, _axes(a, len(ins[0].shape))),
    onnx="Transpose",
)
def transpose(xp, data, *, axes: Shape = ()):
    """Axis i of the result is axis ``axes[i]`` of `data`; without `axes` their order is reversed.

    >>> mx.nd.transpose(mx.nd.zeros((2, 3, 4)), axes=(0, 2, 1)).shape
    (2, 4, 3)
    """
    return xp.transpose(data, axes or None)


@transpose.gradient("data")
def _(dy, axes):
    axes = normalize_all(axes, dy.ndim)
    return transpose(dy, axes=tuple(axes.index(i) for i in range(dy.ndim)) if axes else ())


transpose.sample(data=normal(2, 3))
transpose.sample(data=normal(2, 3, 4), axes=(1, 2, 0))
transpose.sample(data=normal(2, 3, 4, 2), axes=(0, -2, -1, 1))


def _swapped(attrs: Attrs, ndim: int) -> tuple[int, ...]:
    one, two = normalize(attrs.dim1, ndim), normalize(attrs.dim2, ndim)
    axes = list(range(ndim))
    axes[one], axes[two] = two, one
    return tuple(axes)


@op(
    "SwapAxis",
    aliases=("swapaxes", "_npi_swapaxes"),
    shape=permutation(_swapped),
    kernel="_strided_read",
    params=lambda a, ins, outs: permuted(ins[0].shape, _swapped(a, len(ins[0].shape))),
)
def swap_axis(xp, data, *, dim1: int = 0, dim2: int = 0):
    """Exchange the axes `dim1` and `dim2`.

    Source: MXNet operator SwapAxis.

    >>> mx.nd.swapaxes(mx.nd.zeros((2, 3, 4)), dim1=0, dim2=2).shape
    (4, 3, 2)
    """
    return xp.swapaxes(data, dim1, dim2)


@swap_axis.gradient("data")
def _(dy, dim1, dim2):
    return swap_axis(dy, dim1=dim1, dim2=dim2)


swap_axis.sample(data=normal(2, 3, 4), dim1=0, dim2=-1)


def _turned(attrs: Attrs, shape: Sequence[int]) -> list[slice]:
    axes = normalize_all(attrs.axis, len(shape))
    return [slice(None, None, -1 if i in axes else 1) for i in range(len(shape))]


@op(
    "reverse",
    aliases=("flip",),
    shape=same,
    kernel="_strided_read",
    params=lambda a, ins, outs: sliced(ins[0].shape, _turned(a, ins[0].shape)),
)
def reverse(xp, data, *, axis: Shape):
    """Reverse the order of the elements along the axes in `axis`.

    >>> mx.nd.flip(mx.nd.array([[1, 2], [3, 4]]), axis=1).asnumpy()
    array([[2., 1.],
           [4., 3.]], dtype=float32)
    """
    return data[tuple(_turned(Attrs(axis=axis), data.shape))]


@reverse.gradient("data")
def _(dy, axis):
    return reverse(dy, axis=axis)


reverse.sample(data=normal(2, 3, 4), axis=(0, 2))


# ---- repetition ----------------------------------------------------------------------------------


def _tiling(shape: Sequence[int], reps: Sequence[int]) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """`shape` and `reps` padded with ones to one rank."""
    rank = max(len(shape), len(reps))
    return (1,) * (rank - len(shape)) + tuple(shape), (1,) * (rank - len(reps)) + tuple(reps)


def _interleaved(first: Sequence[int], second: Sequence[int]) -> tuple[int, ...]:
    return tuple(n for pair in zip(first, second, strict=True) for n in pair)


def _tile_view(attrs: Attrs, ins: Sequence, outs: Sequence) -> tuple | None:
    shape, reps = _tiling(ins[0].shape, attrs.reps)
    return view(_interleaved(reps, shape), _interleaved((0,) * len(reps), strides(shape)))


def _tiled(attrs: Attrs, data: Sequence[int]) -> tuple[int, ...]:
    if any(r < 0 for r in attrs.reps):
        raise MXNetError(f"reps {attrs.reps} are negative")
    return tuple(d * r for d, r in zip(*_tiling(data, attrs.reps), strict=True))


@op(
    "tile",
    aliases=("_npi_tile",),
    shape=forward(_tiled),
    kernel="_strided_read",
    params=_tile_view,
    onnx="Tile",
)
def tile(xp, data, *, reps: Shape):
    """`data` repeated ``reps[i]`` times along axis i; the shorter of both is padded with ones.

    >>> mx.nd.tile(mx.nd.array([1, 2]), reps=(2, 2)).asnumpy()
    array([[1., 2., 1., 2.],
           [1., 2., 1., 2.]], dtype=float32)
    """
    return xp.tile(data, reps)


@tile.gradient("data")
def _(dy, data, reps):
    shape, reps = _tiling(data.shape, reps)
    apart = reshape_exactly(dy, shape=_interleaved(reps, shape))
    total = get("sum")(apart, axis=tuple(range(0, apart.ndim, 2)))
    return reshape_exactly(total, shape=data.shape)


tile.sample(data=normal(2, 3), reps=(2, 1))
tile.sample(data=normal(2, 3), reps=(2, 2, 1))
tile.sample(data=normal(2, 2, 2), reps=(3,))


def _around(shape: Sequence[int], axis: int | None) -> tuple[int, int]:
    """Elements up to and including `axis`, and after it."""
    cut = len(shape) if axis is None else normalize(axis, len(shape)) + 1
    return prod(shape[:cut]), prod(shape[cut:])


def _repeated(attrs: Attrs, data: Sequence[int]) -> tuple[int, ...]:
    if attrs.repeats < 0:
        raise MXNetError(f"repeats is {attrs.repeats}")
    if attrs.axis is None:
        return (prod(data) * attrs.repeats,)
    axis = normalize(attrs.axis, len(data))
    return (*data[:axis], data[axis] * attrs.repeats, *data[axis + 1 :])


def _repeat_view(attrs: Attrs, ins: Sequence, outs: Sequence) -> tuple | None:
    outer, inner = _around(ins[0].shape, attrs.axis)
    return view((outer, attrs.repeats, inner), (inner, 0, 1))


@op(
    "repeat",
    aliases=("_np_repeat",),
    shape=forward(_repeated),
    kernel="_strided_read",
    params=_repeat_view,
)
def repeat(xp, data, *, repeats: int, axis: int | None = None):
    """Each element (or slice along `axis`) `repeats` times; without `axis` the result is 1-d.

    Source: MXNet operator repeat.

    >>> mx.nd.repeat(mx.nd.array([[1, 2]]), repeats=2, axis=1).asnumpy()
    array([[1., 1., 2., 2.]], dtype=float32)
    """
    return xp.repeat(data, repeats, axis=axis)


@repeat.gradient("data")
def _(dy, data, repeats, axis):
    outer, inner = _around(data.shape, axis)
    total = get("sum")(reshape_exactly(dy, shape=(outer, repeats, inner)), axis=(1,))
    return reshape_exactly(total, shape=data.shape)


repeat.sample(data=normal(2, 3), repeats=2)
repeat.sample(data=normal(2, 3, 2), repeats=3, axis=-2)
