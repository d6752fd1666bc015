"""Reshapes of the NumPy interface: the same elements under another shape."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod
from typing import Any

from ..base import MXNetError
from .attrs import Attrs, Shape
from .op import Op, op
from .reshape import normalize_all, reshape_exactly
from .rules import forward, numbered, show
from .samples import normal


def _row_major(order: str) -> None:
    if order != "C":
        raise MXNetError(f"attribute order is 'C' (row-major), got {order!r}")


def _inferred(shape: Sequence[int], data: Sequence[int]) -> tuple[int, ...]:
    """`shape` with its one -1 computed from the size of `data`."""
    if any(d < -1 for d in shape) or list(shape).count(-1) > 1:
        raise MXNetError(f"{tuple(shape)} is not a shape with at most one -1")
    rest, size = prod(d for d in shape if d != -1), prod(data)
    if -1 in shape and (rest == 0 or size % rest) or -1 not in shape and rest != size:
        raise MXNetError(f"cannot reshape {show(data)} to {tuple(shape)}")
    return tuple(size // rest if d == -1 else d for d in shape)


def _np_reshaped(attrs: Attrs, data: Sequence[int]) -> tuple[int, ...]:
    _row_major(attrs.order)
    return _inferred(attrs.newshape, data)


def _unshaped(dy: Any, a: Any) -> Any:
    return reshape_exactly(dy, shape=a.shape)


@op("_np_reshape", shape=forward(_np_reshaped), view=True, onnx="Reshape")
def np_reshape(xp: Any, a: Any, *, newshape: Shape, order: str = "C") -> Any:
    """The elements of `a` in row-major order under `newshape`, where -1 is inferred.

    `order` can only be "C".  (MXNet ``mx.np.reshape``.)

    >>> mx.np.reshape(mx.np.arange(6), (2, -1)).shape
    (2, 3)
    """
    return a.reshape(_inferred(newshape, a.shape))


np_reshape.gradient("a")(_unshaped)
np_reshape.sample(a=normal(2, 6), newshape=(3, -1))
np_reshape.sample(a=normal(1, 1), newshape=())
np_reshape.sample(a=normal(), newshape=(1, -1))
np_reshape.sample(a=normal(0, 3), newshape=(3, -1))


def _tokens(codes: Sequence[int]) -> list[tuple[int, ...]]:
    """Shape codes one by one; -6 comes with the two numbers that follow it."""
    found, rest = [], list(codes)
    while rest:
        code = rest.pop(0)
        if code < -6:
            raise MXNetError(f"unknown shape code {code}")
        if code == -6 and len(rest) < 2:
            raise MXNetError("code -6 needs two dimensions after it")
        found.append((code, rest.pop(0), rest.pop(0)) if code == -6 else (code,))
    return found


def _take(dims: list[int], count: int, code: int) -> list[int]:
    if len(dims) < count:
        raise MXNetError(f"code {code} needs more dimensions than are left")
    taken = dims[:count]
    del dims[:count]
    return taken


def _split(whole: int, one: int, two: int) -> list[int]:
    if one == two == -1 or 0 in (one, two) or min(one, two) < -1:
        raise MXNetError(f"code -6 cannot split into {one} and {two}")
    one, two = (whole // two if one == -1 else one), (whole // one if two == -1 else two)
    if one * two != whole:
        raise MXNetError(f"code -6 cannot split {whole} into {one} x {two}")
    return [one, two]


def _decoded(attrs: Attrs, data: Sequence[int]) -> tuple[int, ...]:
    """The shape that the codes of npx.reshape make of `data`."""
    _row_major(attrs.order)
    turn = -1 if attrs.reverse else 1
    dims, found = list(data[::turn]), []
    for code, *pair in _tokens(attrs.newshape)[::turn]:
        if code >= -1:
            dims = dims[1:]
            found.append(code)
        elif code == -2:
            found += _take(dims, 1, code)
        elif code == -3:
            if _take(dims, 1, code) != [1]:
                raise MXNetError("code -3 drops an axis that does not have size 1")
        elif code == -4:
            found += _take(dims, len(dims), code)
        elif code == -5:
            found.append(prod(_take(dims, 2, code)))
        else:
            found += _split(_take(dims, 1, code)[0], *pair)[::turn]
    return _inferred(found[::turn], data)


@op("_npx_reshape", aliases=("_npi_reshape",), shape=forward(_decoded), view=True, onnx="Reshape")
def npx_reshape(
    xp: Any, a: Any, *, newshape: Shape, reverse: bool = False, order: str = "C"
) -> Any:
    """Reshape by the codes `newshape` that speak of the dimensions of `a`, one after the other.

    A number from 0 on is the dimension itself; -1 infers it from the others; -2 copies the
    dimension of `a`; -3 drops one of size 1; -4 copies all that remain; -5 multiplies two; -6
    splits one into the two numbers that follow, one of which may be -1. `reverse` matches the
    codes from the right. `order` can only be "C".  (MXNet ``mx.npx.reshape``.)

    >>> mx.npx.reshape(mx.np.zeros((8, 3, 2)), (-6, 2, -1, -4)).shape
    (2, 4, 3, 2)
    """
    attrs = Attrs(newshape=newshape, reverse=reverse, order=order)
    return a.reshape(_decoded(attrs, a.shape))


npx_reshape.gradient("a")(_unshaped)
npx_reshape.sample(a=normal(2, 3, 4), newshape=(-2, -1))
npx_reshape.sample(a=normal(2, 3, 4), newshape=(-5, -2))
npx_reshape.sample(a=normal(2, 1, 4), newshape=(-2, -3, -1))
npx_reshape.sample(a=normal(8, 3, 2), newshape=(-6, 2, -1, -4))
npx_reshape.sample(a=normal(2, 3, 8), newshape=(-4, -6, 4, -1), reverse=True)
npx_reshape.sample(a=normal(0, 3, 4), newshape=(-2, -5))


def _squeezed(attrs: Attrs, a: Sequence[int]) -> tuple[int, ...]:
    if attrs.axis is None:
        return tuple(d for d in a if d != 1)
    axes = normalize_all(attrs.axis, len(a))
    if any(a[i] != 1 for i in axes):
        raise MXNetError(f"axes {attrs.axis} do not all have size 1")
    return tuple(d for i, d in enumerate(a) if i not in axes)


@op("_np_squeeze", shape=forward(_squeezed), view=True, onnx="Squeeze")
def np_squeeze(xp: Any, a: Any, *, axis: Shape | None = None) -> Any:
    """`a` without its axes of size one, or without those in `axis`.  (MXNet ``mx.np.squeeze``.)

    >>> mx.np.squeeze(mx.np.ones((1, 3, 1)), axis=0).shape
    (3, 1)
    """
    return a.reshape(_squeezed(Attrs(axis=axis), a.shape))


np_squeeze.gradient("a")(_unshaped)
np_squeeze.sample(a=normal(1, 3, 1))
np_squeeze.sample(a=normal(1, 3, 1), axis=(0,))
np_squeeze.sample(a=normal(1, 1))


def padded_to(shape: Sequence[int], ndim: int) -> tuple[int, ...]:
    """A shape of at least `ndim` axes, new ones of size 1 where NumPy puts them."""
    one, full = (1,), tuple(shape)
    if ndim == 3 and len(full) in (1, 2):
        return (*one, *full, *one) if len(full) == 1 else (*full, *one)
    return one * (ndim - len(full)) + full


def at_least(ndim: int) -> Op:
    """Declare ``_np_atleast_<ndim>d``."""

    def body(xp: Any, *arys: Any, num_args: int) -> Any:
        return tuple(a.reshape(padded_to(a.shape, ndim)) for a in arys)

    name = f"atleast_{ndim}d"
    body.__name__ = name
    body.__doc__ = (
        f"Each array with at least {ndim} axes: new ones have size 1.  (MXNet ``mx.np.{name}``.)"
        f"\n\n    >>> mx.np.{name}(mx.np.array(2.0)).shape\n    {(1,) * ndim}\n    "
    )
    made = op(
        f"_np_{name}",
        variadic="num_args",
        shape=forward(lambda attrs, *shapes: [padded_to(s, ndim) for s in shapes]),
        dtype=lambda attrs, ins, outs: (ins, list(ins)),
        outputs=lambda a: numbered(a.num_args),
    )(body)

    @made.gradient("arys")
    def _(dys: Any, arys: Any) -> Any:
        return [_unshaped(dy, a) for dy, a in zip(dys, arys, strict=True)]

    made.sample(arys=[normal(3), normal(2, 2), normal()])
    made.sample(arys=[normal(2, 3, 4, 1)])
    return made


for _ndim in (1, 2, 3):
    at_least(_ndim)
