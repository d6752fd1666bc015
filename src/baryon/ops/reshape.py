"""Operators that show the same elements under another shape: nothing is moved."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod

from ..base import MXNetError
from .attrs import Attrs, Shape
from .op import op
from .rules import forward, known, show, unify
from .samples import normal


def normalize(axis: int, ndim: int) -> int:
    """An axis counted from the front; MXNetError if the array has no such axis."""
    if not -ndim <= axis < ndim:
        raise MXNetError(f"axis {axis} is out of range for {ndim} dimensions")
    return axis % ndim


def normalize_all(axes: Sequence[int], ndim: int) -> tuple[int, ...]:
    """Distinct axes counted from the front."""
    found = tuple(normalize(a, ndim) for a in axes)
    if len(set(found)) != len(found):
        raise MXNetError(f"axes {tuple(axes)} name an axis twice")
    return found


@op(
    "_backward_reshape",
    shape=forward(lambda a, data: _same_size(a.shape, data)),
    view=True,
    onnx="Reshape",
)
def reshape_exactly(xp, data, *, shape: Shape):
    """The elements of `data` in row-major order under exactly `shape`, without special codes.

    It undoes the operators of this family in their gradients.
    """
    return data.reshape(shape)


def _same_size(shape: Sequence[int], data: Sequence[int]) -> tuple[int, ...]:
    if prod(shape) != prod(data):
        raise MXNetError(f"cannot reshape {show(data)} to {show(shape)}")
    return tuple(shape)


@reshape_exactly.gradient("data")
def _(dy, data):
    return reshape_exactly(dy, shape=data.shape)


reshape_exactly.sample(data=normal(2, 6), shape=(3, 4))


# ---- Reshape and its special codes ---------------------------------------------------------------


class _Codes:
    """Reads MXNet's shape codes from the left against dimensions, of which -1 are unknown."""

    def __init__(self, codes: Sequence[int], dims: Sequence[int]) -> None:
        self.codes, self.dims = list(codes), list(dims)
        self.found: list[int] = []
        self.inferred: int | None = None

    def _take(self) -> int:
        if not self.dims:
            raise MXNetError("the shape codes copy more dimensions than the input has")
        return self.dims.pop(0)

    def read(self) -> list[int]:
        """The dimensions that all codes describe; the one of code -1 is left as 1."""
        while self.codes:
            code = self.codes.pop(0)
            if code == 0:
                self.found.append(self._take())
            elif code == -1:
                self._infer()
            elif code == -2:
                self.found += self.dims
                self.dims = []
            elif code == -3:
                pair = self._take(), self._take()
                self.found.append(-1 if -1 in pair else pair[0] * pair[1])
            elif code == -4:
                self._split()
            elif code > 0:
                self.found.append(code)
                self.dims = self.dims[1:]
            else:
                raise MXNetError(f"unknown shape code {code}")
        return self.found

    def _infer(self) -> None:
        if self.inferred is not None:
            raise MXNetError("at most one dimension can be inferred with code -1")
        self.inferred = len(self.found)
        self.found.append(1)
        self.dims = self.dims[1:]

    def _split(self) -> None:
        whole = self._take()
        if len(self.codes) < 2:
            raise MXNetError("code -4 needs two dimensions after it")
        pair = self.codes[:2]
        del self.codes[:2]
        if pair == [-1, -1] or 0 in pair or min(pair) < -1:
            raise MXNetError(f"code -4 cannot split into {tuple(pair)}")
        if -1 in pair and whole != -1:
            pair[pair.index(-1)] = whole // max(pair)
        if whole != -1 and pair[0] * pair[1] != whole:
            raise MXNetError(f"code -4 cannot split {whole} into {pair[0]} x {pair[1]}")
        self.found += pair


def decode(codes: Sequence[int], dims: Sequence[int], reverse: bool = False) -> tuple[int, ...]:
    """The shape that MXNet's codes make of `dims` (-1: unknown, passed on where it matters)."""
    turn = slice(None, None, -1 if reverse else 1)
    reader = _Codes(codes[turn], dims[turn])
    found = reader.read()
    if reader.inferred is not None:
        rest, size = prod(found), prod(dims)
        unknown = -1 in found or -1 in dims
        found[reader.inferred] = -1 if unknown else size // rest if rest else 0
    return tuple(found[turn])


def _legacy(target: Sequence[int], dims: Sequence[int], keep_highest: bool) -> tuple[int, ...]:
    """The shape of the deprecated `target_shape`, in which 0 is the dimension to infer."""
    found = [*dims[:1], *target[1:]] if keep_highest else list(target)
    holes = [i for i in range(int(keep_highest), len(found)) if found[i] == 0]
    if len(holes) == 1 and known(tuple(dims)):
        found[holes[0]] = 1
        found[holes[0]] = prod(dims) // prod(found)
    return tuple(found)


def _reshaped(attrs: Attrs, dims: Sequence[int]) -> tuple[int, ...]:
    if attrs.shape:
        shape = decode(attrs.shape, dims, attrs.reverse)
    elif attrs.target_shape:
        shape = _legacy(attrs.target_shape, dims, attrs.keep_highest)
    else:
        raise MXNetError("attribute shape is empty")
    return _same_size(shape, dims) if known(shape) and known(tuple(dims)) else shape


def _fill_one(shape: tuple[int, ...] | None, whole: tuple[int, ...] | None):
    """`shape` with its single unknown dimension computed from a known shape of equal size."""
    if shape is None or not known(whole) or shape.count(-1) != 1:
        return shape
    rest = -prod(shape)
    if rest == 0 or prod(whole) % rest:
        return shape
    return tuple(prod(whole) // rest if d == -1 else d for d in shape)


def _reshape_rule(attrs: Attrs, ins: list, outs: list) -> tuple[list, list]:
    data, out = ins[0], outs[0]
    if data is None:
        return ins, outs
    data = _fill_one(data, out)
    out = unify(_fill_one(_reshaped(attrs, data), data), out)
    return [_fill_one(data, out)], [out]


@op("Reshape", aliases=("reshape",), shape=_reshape_rule, view=True, onnx="Reshape")
def reshape(
    xp,
    data,
    *,
    shape: Shape = (),
    reverse: bool = False,
    target_shape: Shape = (),
    keep_highest: bool = False,
):
    """Reshape, the elements kept in row-major order (MXNet operator ``Reshape``).

    Each entry of `shape` describes dimensions of the result from those of the input:

    - a positive number is the dimension itself;
    - 0 copies the dimension of the input at this place;
    - -1 infers the dimension from all others (once at most);
    - -2 copies all remaining dimensions;
    - -3 multiplies two consecutive dimensions;
    - -4 splits one dimension into the two numbers that follow, one of which may be -1.

    `reverse` matches the codes from the right. `target_shape` and `keep_highest` are deprecated:
    0 infers, and `keep_highest` copies the first dimension.

    >>> mx.nd.zeros((2, 3, 4)).reshape(shape=(-3, 0)).shape
    (6, 4)
    """
    attrs = Attrs(
        shape=shape, reverse=reverse, target_shape=target_shape, keep_highest=keep_highest
    )
    return data.reshape(_reshaped(attrs, data.shape))


@reshape.gradient("data")
def _(dy, data):
    return reshape_exactly(dy, shape=data.shape)


reshape.sample(data=normal(2, 3, 4), shape=(-1, 4))
reshape.sample(data=normal(2, 3, 4), shape=(-4, 1, 2, -2))
reshape.sample(data=normal(2, 3, 4), shape=(0, -1), reverse=True)
reshape.sample(data=normal(2, 3, 4), target_shape=(0, 12), keep_highest=True)


# ---- reshape_like, Flatten -----------------------------------------------------------------------


def _span(begin: int | None, end: int | None, ndim: int) -> tuple[int, int]:
    begin = 0 if begin is None else begin + ndim if begin < 0 else begin
    end = ndim if end is None else end + ndim if end < 0 else end
    if not 0 <= begin <= end <= ndim:
        raise MXNetError(f"axes [{begin}, {end}) are out of range for {ndim} dimensions")
    return begin, end


def _like(attrs: Attrs, lhs: Sequence[int], rhs: Sequence[int]) -> tuple[int, ...]:
    b, e = _span(attrs.lhs_begin, attrs.lhs_end, len(lhs))
    rb, re = _span(attrs.rhs_begin, attrs.rhs_end, len(rhs))
    return _same_size((*lhs[:b], *rhs[rb:re], *lhs[e:]), lhs)


def _first_dtype(attrs: Attrs, ins: list, outs: list) -> tuple[list, list]:
    dtype = ins[0] if ins[0] is not None else outs[0]
    return [dtype, *ins[1:]], [dtype]


@op(
    "reshape_like",
    aliases=("_npx_reshape_like",),
    shape=forward(_like),
    dtype=_first_dtype,
    view=True,
)
def reshape_like(
    xp,
    lhs,
    rhs,
    *,
    lhs_begin: int | None = None,
    lhs_end: int | None = None,
    rhs_begin: int | None = None,
    rhs_end: int | None = None,
):
    """`lhs` with its axes [lhs_begin, lhs_end) under the shape of `rhs`'s [rhs_begin, rhs_end).

    Only the shape of `rhs` matters; no gradient flows to it (MXNet operator ``reshape_like``).

    >>> mx.nd.reshape_like(mx.nd.zeros((6,)), mx.nd.zeros((2, 3))).shape
    (2, 3)
    """
    attrs = Attrs(lhs_begin=lhs_begin, lhs_end=lhs_end, rhs_begin=rhs_begin, rhs_end=rhs_end)
    return lhs.reshape(_like(attrs, lhs.shape, rhs.shape))


@reshape_like.gradient("lhs")
def _(dy, lhs):
    return reshape_exactly(dy, shape=lhs.shape)


reshape_like.sample(lhs=normal(6), rhs=normal(2, 3))
reshape_like.sample(
    lhs=normal(6, 5), rhs=normal(3, 2, 4), lhs_begin=0, lhs_end=1, rhs_begin=0, rhs_end=2
)


def _flat(attrs: Attrs, ins: list, outs: list) -> tuple[list, list]:
    (data,), (out,) = ins, outs
    if data is None:
        return ins, outs
    rest = -1 if -1 in data[1:] else prod(data[1:])
    out = unify((data[0] if data else 1, rest), out)
    return [_fill_one((out[0], *data[1:]) if data else data, out)], [out]


@op("Flatten", aliases=("flatten", "_npx_batch_flatten"), shape=_flat, view=True, onnx="Flatten")
def flatten(xp, data):
    """All axes but the first as one: (n, a, b, ...) becomes (n, a*b*...) (MXNet ``Flatten``).

    >>> mx.nd.flatten(mx.nd.zeros((2, 3, 4))).shape
    (2, 12)
    """
    return data.reshape(len(data) if data.ndim else 1, prod(data.shape[1:]))


@flatten.gradient("data")
def _(dy, data):
    return reshape_exactly(dy, shape=data.shape)


flatten.sample(data=normal(2, 3, 4))
flatten.sample(data=normal(3))
