"""Padding and differences along an axis in the NumPy interface."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod
from typing import Any, Literal

from ..base import MXNetError
from .attrs import Attrs, Shapes
from .indexing import add_at
from .numeric import numeric
from .op import get, op
from .reshape import normalize, reshape_exactly
from .rules import forward
from .samples import distinct, integers, normal
from .scalar import number

Mode = Literal["constant", "edge", "maximum", "minimum", "reflect", "symmetric"]

# ---- pad -----------------------------------------------------------------------------------------


def _padded(attrs: Attrs, data: Sequence[int]) -> tuple[int, ...]:
    width = attrs.pad_width
    if len(width) != len(data) or any(len(w) != 2 or min(w) < 0 for w in width):
        raise MXNetError(f"pad_width {width} does not give two sizes for {len(data)} dimensions")
    if attrs.reflect_type != "even":
        raise MXNetError(f"attribute reflect_type is 'even', got {attrs.reflect_type!r}")
    for (before, after), size in zip(width, data, strict=True):
        if attrs.mode != "constant" and size == 0 and before + after:
            raise MXNetError(f"mode {attrs.mode} cannot pad an axis of size 0")
    return tuple(b + d + a for (b, a), d in zip(width, data, strict=True))


def _core(width: Sequence, shape: Sequence[int]) -> tuple[slice, ...]:
    """Where the data lies in the padded array."""
    return tuple(slice(b, n - a) for (b, a), n in zip(width, shape, strict=True))


@op("_npi_pad", shape=forward(_padded), dtype=numeric)
def np_pad(
    xp: Any,
    data: Any,
    *,
    pad_width: Shapes,
    mode: Mode = "constant",
    constant_value: float = 0.0,
    reflect_type: str = "even",
) -> Any:
    """`data` with ``pad_width[i] = (before, after)`` more elements along axis i.

    mode: ``constant`` (of `constant_value`), ``edge``, ``reflect`` (without repeating the edge),
    ``symmetric`` (repeating it), ``maximum`` or ``minimum`` of the axis. `reflect_type` can only be
    "even". All modes have gradients.  (MXNet ``mx.np.pad``.)

    >>> mx.np.pad(mx.np.array([[1.0, 2.0, 4.0]]), ((0, 0), (2, 1)), mode="reflect").tolist()
    [[4.0, 2.0, 1.0, 2.0, 4.0, 2.0]]
    """
    options = {"constant_values": number(constant_value, data.dtype)} if mode == "constant" else {}
    return xp.pad(data, pad_width, mode=mode, **options)


def _sources(xp: Any, size: int, pair: Sequence[int], mode: str) -> Any:
    """For each element of a padded axis the position that it copies."""
    return xp.pad(xp.arange(size), pair, mode=mode)


def _unpad_copies(xp: Any, dy: Any, shape: Sequence[int], width: Sequence, mode: str) -> Any:
    """Sum of `dy` over all copies of each element."""
    for axis, (size, pair) in enumerate(zip(shape, width, strict=True)):
        moved = xp.moveaxis(dy, axis, 0)
        down = xp.zeros((size, *moved.shape[1:]), dy.dtype)
        add_at(xp, down, _sources(xp, size, pair, mode), moved)
        dy = xp.moveaxis(down, 0, axis)
    return dy


def _unpad_extremes(xp: Any, dy: Any, data: Any, width: Sequence, mode: str) -> Any:
    """Sum of `dy` where each element lies, and over the padding at (all) the extremes."""
    steps = [data]
    for axis, pair in enumerate(width):
        alone = [(0, 0)] * data.ndim
        alone[axis] = pair
        steps.append(xp.pad(steps[-1], alone, mode=mode))
    for axis in reversed(range(data.ndim)):
        alone = [(0, 0)] * data.ndim
        alone[axis] = width[axis]
        inner = dy[_core(alone, dy.shape)]
        rest = dy.sum(axis=axis, keepdims=True) - inner.sum(axis=axis, keepdims=True)
        extreme = getattr(steps[axis], mode[:3])(axis=axis, keepdims=True)
        dy = inner + rest * (steps[axis] == extreme)
    return dy


@op("_backward_npi_pad", shape=forward(lambda a, dy, data: data))
def unpad(xp: Any, dy: Any, data: Any, *, pad_width: Shapes, mode: Mode) -> Any:
    """Gradient of `np_pad` in a mode that copies elements."""
    return _unpad_copies(xp, dy.astype(xp.float64), data.shape, pad_width, mode)


@op("_backward_npi_pad_extremes", shape=forward(lambda a, dy, data: data))
def unpad_extremes(xp: Any, dy: Any, data: Any, *, pad_width: Shapes, mode: Mode) -> Any:
    """Gradient of `np_pad` in the modes ``maximum`` and ``minimum``."""
    return _unpad_extremes(xp, dy.astype(xp.float64), data, pad_width, mode)


@np_pad.gradient("data")
def _(dy: Any, data: Any, pad_width: Any, mode: str) -> Any:
    if mode != "constant":
        undone = unpad_extremes if mode in ("maximum", "minimum") else unpad
        return undone(dy, data, pad_width=pad_width, mode=mode)
    if 0 in data.shape:
        return None
    core = _core(pad_width, dy.shape)
    return get("slice")(dy, begin=[s.start for s in core], end=[s.stop for s in core])


@unpad.gradient("dy")
def _(d_output: Any, pad_width: Any, mode: str) -> Any:
    return np_pad(d_output, pad_width=pad_width, mode=mode)


_width = ((1, 1), (0, 2))
np_pad.sample(data=normal(2, 3), pad_width=_width, constant_value=1.5)
np_pad.sample(data=integers(2, 3), pad_width=_width, constant_value=2, _dtypes=("int32",), _grad=())
np_pad.sample(data=normal(0, 3), pad_width=_width)
for _mode in ("edge", "reflect", "symmetric"):
    np_pad.sample(data=normal(2, 3), pad_width=((1, 2), (3, 5)), mode=_mode)
for _mode in ("maximum", "minimum"):
    np_pad.sample(data=distinct(2, 3), pad_width=((1, 2), (3, 0)), mode=_mode, _second_order=False)

# ---- differences ---------------------------------------------------------------------------------


def _shortened(attrs: Attrs, a: Sequence[int]) -> tuple[int, ...]:
    axis = normalize(attrs.axis, len(a))
    if attrs.n < 0:
        raise MXNetError(f"attribute n must not be negative, got {attrs.n}")
    return (*a[:axis], max(a[axis] - attrs.n, 0), *a[axis + 1 :])


@op("_npi_diff", shape=forward(_shortened), dtype=numeric)
def diff(xp: Any, a: Any, *, n: int = 1, axis: int = -1) -> Any:
    """Differences of neighbours along `axis`, taken `n` times.  (MXNet ``mx.np.diff``.)

    >>> mx.np.diff(mx.np.array([1.0, 2.0, 4.0])).tolist()
    [1.0, 2.0]
    """
    return xp.diff(a, n, axis)


@diff.gradient("a")
def _(dy: Any, a: Any, n: int, axis: int) -> Any:
    if 0 in dy.shape:
        return None
    width = [(0, 0)] * len(a.shape)
    width[axis] = (n, n)
    back = diff(np_pad(dy, pad_width=width), n=n, axis=axis)
    return -back if n % 2 else back


diff.sample(a=normal(2, 5), n=2, axis=1)
diff.sample(a=normal(3, 4))
diff.sample(a=normal(3, 4, 2), axis=0)
diff.sample(a=normal(3), n=0)
diff.sample(a=normal(3), n=5, _grad=())


def _ends(attrs: Attrs, more: Sequence[Any]) -> tuple[list, list]:
    """The arrays that are given for the beginning and the end, each alone or none in a list."""
    begin = list(more[:1]) if attrs.to_begin_arr_given else []
    return begin, list(more[len(begin) :])


def _ends_sizes(attrs: Attrs, more: Sequence[tuple[int, ...]]) -> tuple[int, int]:
    begin, end = (sum(map(prod, shapes)) for shapes in _ends(attrs, more))
    return begin + (attrs.to_begin_scalar is not None), end + (attrs.to_end_scalar is not None)


def _ediff_shape(attrs: Attrs, data: Sequence[int], *more: tuple[int, ...]) -> tuple[int]:
    return (max(prod(data) - 1, 0) + sum(_ends_sizes(attrs, more)),)


@op(
    "_npi_ediff1d",
    present={
        "input2": lambda a: a.to_begin_arr_given or a.to_end_arr_given,
        "input3": lambda a: a.to_begin_arr_given and a.to_end_arr_given,
    },
    shape=forward(_ediff_shape),
    dtype=numeric,
)
def ediff1d(
    xp: Any,
    input1: Any,
    input2: Any = None,
    input3: Any = None,
    *,
    to_begin_arr_given: bool = False,
    to_end_arr_given: bool = False,
    to_begin_scalar: float | None = None,
    to_end_scalar: float | None = None,
) -> Any:
    """Differences of neighbours in the flattened `input1`, between a beginning and an end.

    Either is a number (`to_begin_scalar`, `to_end_scalar`), or with `to_begin_arr_given` or
    `to_end_arr_given` an array: `input2`, and `input3` where both are arrays.
    (MXNet ``mx.np.ediff1d``.)

    >>> mx.np.ediff1d(mx.np.array([1.0, 2.0, 4.0]), to_begin=9).tolist()
    [9.0, 1.0, 2.0]
    """
    given = [x.reshape(-1) for x in (input2, input3) if x is not None]
    begin, end = given[: int(to_begin_arr_given)], given[int(to_begin_arr_given) :]
    for value, parts in ((to_begin_scalar, begin), (to_end_scalar, end)):
        if value is not None:
            parts.append(xp.full(1, number(value, input1.dtype), input1.dtype))
    return xp.concatenate([*begin, xp.diff(input1.reshape(-1)), *end])


def _cut(dy: Any, begin: int, end: int) -> Any:
    return None if begin >= end else get("slice_axis")(dy, axis=0, begin=begin, end=end)


@ediff1d.gradient("input1")
def _(dy: Any, input1: Any, input2: Any, input3: Any, attrs: Attrs) -> Any:
    begin, end = _ends_sizes(attrs, [x.shape for x in (input2, input3) if x is not None])
    middle = _cut(dy, begin, dy.shape[0] - end)
    if middle is None:
        return None
    back = -diff(np_pad(middle, pad_width=((1, 1),)))
    return reshape_exactly(back, shape=input1.shape)


@ediff1d.gradient("input2")
def _(dy: Any, input2: Any, attrs: Attrs) -> Any:
    size, first = prod(input2.shape), attrs.to_begin_arr_given
    part = _cut(dy, 0, size) if first else _cut(dy, dy.shape[0] - size, dy.shape[0])
    return None if part is None else reshape_exactly(part, shape=input2.shape)


@ediff1d.gradient("input3")
def _(dy: Any, input3: Any) -> Any:
    part = _cut(dy, dy.shape[0] - prod(input3.shape), dy.shape[0])
    return None if part is None else reshape_exactly(part, shape=input3.shape)


ediff1d.sample(input1=normal(5), to_begin_scalar=1.0)
ediff1d.sample(input1=normal(2, 3), to_end_scalar=2.5)
ediff1d.sample(input1=normal(4), input2=normal(2), to_end_arr_given=True)
ediff1d.sample(input1=normal(4), input2=normal(2), to_begin_arr_given=True, to_end_scalar=2.0)
ediff1d.sample(
    input1=normal(4), input2=normal(2), input3=normal(1, 3),
    to_begin_arr_given=True, to_end_arr_given=True,
)  # fmt: skip
ediff1d.sample(input1=normal(1), _grad=())
