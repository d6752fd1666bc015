"""Slices: reading a box of an array, and writing one."""

from __future__ import annotations

import builtins
from collections.abc import Sequence

from ..base import MXNetError
from .attrs import Attrs, Shape
from .csr import cut
from .op import op
from .reshape import normalize
from .rules import forward, unify
from .samples import normal
from .strided import sliced

Slices = tuple[builtins.slice, ...]


def _slices(begin: Sequence, end: Sequence, step: Sequence, ndim: int) -> Slices:
    """Python slices of the leading axes; MXNetError unless the three describe some."""
    step = step or (None,) * len(begin)
    if not len(begin) == len(end) == len(step) or len(begin) > ndim:
        raise MXNetError(f"begin {begin}, end {end} and step {step} do not match {ndim} dimensions")
    if 0 in step:
        raise MXNetError("step is 0")
    return tuple(map(builtins.slice, begin, end, step))


def _box(attrs: Attrs, shape: Sequence[int]) -> Slices:
    return _slices(attrs.begin, attrs.end, attrs.step, len(shape))


def _cut(shape: Sequence[int], index: Slices) -> tuple[int, ...]:
    """The shape of ``array[index]``; unknown dimensions (-1) that are not cut stay unknown."""
    sizes = list(shape)
    for axis, part in enumerate(index):
        if part.start is part.stop is part.step is None:
            continue
        sizes[axis] = -1 if sizes[axis] == -1 else len(range(*part.indices(sizes[axis])))
    return tuple(sizes)


def _partial(index_of):
    """A shape rule from ``index_of(attrs, shape)`` that leaves unknown dimensions unknown."""

    def rule(attrs: Attrs, ins: list, outs: list) -> tuple[list, list]:
        if ins[0] is not None:
            outs = [unify(_cut(ins[0], index_of(attrs, ins[0])), outs[0])]
        return ins, outs

    return rule


# ---- writing a box -------------------------------------------------------------------------------


@op(
    "_backward_slice",
    shape=forward(lambda a, data: _fits(a.shape, _box(a, a.shape), data)),
    kernel="_strided_write",
    params=lambda a, ins, outs: _write(0.0, sliced(a.shape, _box(a, a.shape))),
)
def place(xp, data, *, shape: Shape, begin: Shape, end: Shape, step: Shape = ()):
    """Zeros of `shape` in which the box that begin, end and step describe holds `data`."""
    out = xp.zeros(shape, data.dtype)
    out[_slices(begin, end, step, len(shape))] = data
    return out


def _fits(whole: Sequence[int], index: Slices, part: Sequence[int]) -> tuple[int, ...]:
    """`whole`, after checking that `part` is the shape of its box."""
    if _cut(whole, index) != tuple(part):
        raise MXNetError(f"a box of shape {_cut(whole, index)} cannot hold shape {tuple(part)}")
    return tuple(whole)


def _write(fill: float, box: tuple | None) -> tuple | None:
    """Parameters of ``_strided_write``: the constant elsewhere, then the view."""
    return None if box is None else (fill, *box)


@place.gradient("data")
def _(dy, begin, end, step):
    return slice(dy, begin=begin, end=end, step=step)


place.sample(data=normal(2, 3), shape=(4, 5), begin=(1, 4), end=(3, None), step=(None, -2))


def _assigned(attrs: Attrs, lhs: Sequence[int], rhs: Sequence[int]) -> tuple[int, ...]:
    return _fits(lhs, _box(attrs, lhs), rhs)


@op(
    "_slice_assign",
    aliases=("_crop_assign", "_npi_slice_assign"),
    shape=forward(_assigned),
    inplace={0: "lhs"},
    kernel="_strided_write",
    params=lambda a, ins, outs: _write(0.0, sliced(ins[0].shape, _box(a, ins[0].shape))),
)
def slice_assign(xp, lhs, rhs, *, begin: Shape, end: Shape, step: Shape = ()):
    """`lhs` with the box ``[begin:end:step]`` replaced by `rhs` (MXNet ``_slice_assign``).

    >>> x, y = mx.nd.zeros((2, 3)), mx.nd.ones((1, 2))
    >>> mx.nd._internal._slice_assign(x, y, begin=(0, 1), end=(1, 3)).asnumpy()
    array([[0., 1., 1.],
           [0., 0., 0.]], dtype=float32)
    """
    out = lhs.copy()
    out[_slices(begin, end, step, lhs.ndim)] = rhs
    return out


@slice_assign.gradient("lhs")
def _(dy, begin, end, step):
    return slice_assign_scalar(dy, begin=begin, end=end, step=step, scalar=0.0)


@slice_assign.gradient("rhs")
def _(dy, begin, end, step):
    return slice(dy, begin=begin, end=end, step=step)


slice_assign.sample(lhs=normal(4, 5), rhs=normal(2, 3), begin=(1, 1), end=(3, 4))
slice_assign.sample(lhs=normal(4, 6), rhs=normal(2, 3), begin=(0, 5), end=(4, None), step=(2, -2))


@op(
    "_slice_assign_scalar",
    aliases=("_crop_assign_scalar", "_npi_slice_assign_scalar"),
    shape=forward(lambda a, data: _fits(data, _box(a, data), _cut(data, _box(a, data)))),
    inplace={0: "data"},
    kernel="_strided_fill",
    params=lambda a, ins, outs: _write(a.scalar, sliced(ins[0].shape, _box(a, ins[0].shape))),
)
def slice_assign_scalar(
    xp, data, *, scalar: float = 0.0, begin: Shape, end: Shape, step: Shape = ()
):
    """`data` with the box ``[begin:end:step]`` filled with `scalar`.

    >>> x = mx.nd.zeros((2, 3))
    >>> mx.nd._internal._slice_assign_scalar(x, scalar=5.0, begin=(0, 1), end=(1, 3)).asnumpy()
    array([[0., 5., 5.],
           [0., 0., 0.]], dtype=float32)
    """
    out = data.copy()
    out[_slices(begin, end, step, data.ndim)] = scalar
    return out


@slice_assign_scalar.gradient("data")
def _(dy, begin, end, step):
    return slice_assign_scalar(dy, begin=begin, end=end, step=step, scalar=0.0)


slice_assign_scalar.sample(data=normal(4, 5), begin=(1, 1), end=(3, 4), scalar=2.5)


# ---- reading a box -------------------------------------------------------------------------------


@op(
    "slice",
    aliases=("crop", "_npi_slice", "_npx_slice", "_sparse_slice"),
    shape=_partial(_box),
    kernel="_strided_read",
    params=lambda a, ins, outs: sliced(ins[0].shape, _box(a, ins[0].shape)),
    onnx="Slice",
)
def slice(xp, data, *, begin: Shape, end: Shape, step: Shape = ()):  # noqa: A001
    """The box ``data[begin:end:step]`` of the leading axes, by Python's rules for slices.

    Entries may be None (from the start, to the end, step 1); negative steps go backwards.

    >>> mx.nd.slice(mx.nd.arange(5), begin=(4,), end=(None,), step=(-2,)).asnumpy()
    array([4., 2., 0.], dtype=float32)
    """
    return data[_slices(begin, end, step, data.ndim)]


@slice.stored("csr -> csr", when=lambda a: all(s in (None, 1) for s in a.step))
def _(xp, data, *, begin, end, step):
    every = builtins.slice(None)
    return cut(xp, data, *(*_slices(begin, end, step, 2), every, every)[:2])


@slice.gradient("data")
def _(dy, data, begin, end, step):
    return place(dy, shape=data.shape, begin=begin, end=end, step=step)


slice.sample(data=normal(4, 5), begin=(1, 2), end=(3, 5))
slice.sample(data=normal(4, 6), begin=(0, 5), end=(None, 0), step=(2, -2))
slice.sample(data=normal(3, 4, 5), begin=(None, 1), end=(None, -1))


def _along(axis: int, begin: int | None, end: int | None, ndim: int) -> Slices:
    """Slices that cut one axis only."""
    index = [builtins.slice(None)] * ndim
    index[normalize(axis, ndim)] = builtins.slice(begin, end)
    return tuple(index)


def _one_axis(attrs: Attrs, shape: Sequence[int]) -> Slices:
    size = shape[normalize(attrs.axis, len(shape))]
    index = _along(attrs.axis, attrs.begin, attrs.end, len(shape))
    if size > 0:
        begin = attrs.begin + size if attrs.begin < 0 else attrs.begin
        end = size if attrs.end is None else attrs.end + size if attrs.end < 0 else attrs.end
        if not 0 <= begin < end <= size:
            raise MXNetError(
                f"[{attrs.begin}, {attrs.end}) is not a range of axis {attrs.axis} of size {size}"
            )
    return index


@op(
    "slice_axis",
    shape=_partial(_one_axis),
    kernel="_strided_read",
    params=lambda a, ins, outs: sliced(ins[0].shape, _one_axis(a, ins[0].shape)),
    onnx="Slice",
)
def slice_axis(xp, data, *, axis: int, begin: int, end: int | None):
    """Positions `begin` to `end` (exclusive, None: all) of one axis; negative ones from the end.

    >>> mx.nd.slice_axis(mx.nd.arange(5), axis=0, begin=-2, end=None).asnumpy()
    array([3., 4.], dtype=float32)
    """
    return data[_along(axis, begin, end, data.ndim)]


@slice_axis.gradient("data")
def _(dy, data, axis, begin, end):
    index = _along(axis, begin, end, dy.ndim)
    return place(dy, shape=data.shape, begin=[s.start for s in index], end=[s.stop for s in index])


slice_axis.sample(data=normal(4, 5), axis=1, begin=-3, end=None)
slice_axis.sample(data=normal(2, 4, 3), axis=-2, begin=0, end=-1)


def _corner(axes: Sequence[int], data: Sequence[int], like: Sequence[int]) -> Slices:
    """Slices that cut `data` down to the sizes of `like` in `axes` (all when empty)."""
    if not axes and len(data) != len(like):
        raise MXNetError(f"shapes {tuple(data)} and {tuple(like)} differ in rank and axes is empty")
    index = [builtins.slice(None)] * len(data)
    for axis in axes or range(len(data)):
        size = like[normalize(axis, len(like))]
        if size > data[normalize(axis, len(data))]:
            raise MXNetError(f"axis {axis} of shape_like, {size}, exceeds that of data {data}")
        index[axis] = builtins.slice(0, size)
    return tuple(index)


def _slice_like_dtype(attrs: Attrs, ins: list, outs: list) -> tuple[list, list]:
    dtype = ins[0] if ins[0] is not None else outs[0]
    return [dtype, ins[1]], [dtype]


@op(
    "slice_like",
    shape=forward(lambda a, data, like: _cut(data, _corner(a.axes, data, like))),
    dtype=_slice_like_dtype,
    kernel="_strided_read",
    params=lambda a, ins, outs: sliced(ins[0].shape, _corner(a.axes, ins[0].shape, ins[1].shape)),
)
def slice_like(xp, data, shape_like, *, axes: Shape = ()):
    """The leading corner of `data` whose sizes in `axes` (all by default) are `shape_like`'s.

    No gradient flows to `shape_like`.

    >>> mx.nd.slice_like(mx.nd.zeros((4, 5)), mx.nd.zeros((2, 3)), axes=(1,)).shape
    (4, 3)
    """
    return data[_corner(axes, data.shape, shape_like.shape)]


@slice_like.gradient("data")
def _(dy, data):
    return place(dy, shape=data.shape, begin=(0,) * dy.ndim, end=dy.shape)


slice_like.sample(data=normal(4, 5), shape_like=normal(2, 3))
slice_like.sample(data=normal(4, 5), shape_like=normal(2, 3), axes=(-1,))
