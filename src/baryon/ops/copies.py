"""Copies and constants of a tensor's shape: identity, BlockGrad, zeros_like, ones_like."""

from __future__ import annotations

from typing import Any

from .op import op
from .samples import normal
from .storage import KEEPS
from .stored import STYPES, blank, converted
from .unary import flat


@op(
    "_copy",
    aliases=("identity",),
    inplace={0: "data"},
    kernel=True,
    onnx="Identity",
    converts=True,
    storage=KEEPS,
)
def identity(xp: Any, data: Any) -> Any:
    """A copy of `data`.  (MXNet operator ``identity``.)

    >>> mx.nd.identity(mx.nd.array([1.0, 2.0])).asnumpy()
    array([1., 2.], dtype=float32)
    """
    return data.copy()


@identity.gradient("data")
def _(dy: Any) -> Any:
    return dy


@op("_copyto", aliases=("_npi_copyto",), inplace={0: "data"}, kernel="_copy")
def copyto(xp: Any, data: Any) -> Any:
    """A copy of `data`, in general into ``out``, which has its shape and dtype.

    >>> mx.nd._internal._copyto(mx.nd.array([1.0, 2.0]), out=mx.nd.zeros(2)).asnumpy()
    array([1., 2.], dtype=float32)
    """
    return data.copy()


@copyto.gradient("data")
def _(dy: Any) -> Any:
    return dy


copyto.sample(data=normal(2, 3))


@op(
    "BlockGrad",
    aliases=("stop_gradient", "_sparse_stop_gradient"),
    inplace={0: "data"},
    pointwise=True,
    element="a",
    kernel="_copy",
    onnx="Identity",
    storage=KEEPS,
)
def block_grad(xp: Any, data: Any) -> Any:
    """`data`, through which no gradient flows.  (MXNet operator ``BlockGrad``.)

    >>> mx.nd.BlockGrad(mx.nd.array([1.0, 2.0])).asnumpy()
    array([1., 2.], dtype=float32)
    """
    return data.copy()


block_grad.gradient("data")(flat)


@op("_identity_with_attr_like_rhs", inplace={0: "lhs"}, kernel="_copy")
def identity_like_rhs(xp: Any, lhs: Any, rhs: Any) -> Any:
    """A copy of `lhs`, whose shape and dtype are also those of `rhs`.

    >>> mx.nd._internal._identity_with_attr_like_rhs(mx.nd.ones(2), mx.nd.zeros(2)).asnumpy()
    array([1., 1.], dtype=float32)
    """
    return lhs.copy()


for _rhs in ("csr", "row_sparse"):

    @identity_like_rhs.stored(*(f"{lhs} {_rhs} -> {_rhs}" for lhs in STYPES))
    def _(xp: Any, lhs: Any, rhs: Any) -> Any:
        return converted(lhs, rhs.stype)


@identity_like_rhs.gradient("lhs")
def _(dy: Any) -> Any:
    return dy


@identity_like_rhs.gradient("rhs")
def _(dy: Any) -> None:
    return None


@op("zeros_like", aliases=("_sparse_zeros_like",), inplace={0: "data"}, kernel=True)
def zeros_like(xp: Any, data: Any) -> Any:
    """Zeros of the shape and dtype of `data`.  (MXNet operator ``zeros_like``.)

    >>> mx.nd.zeros_like(mx.nd.array([1.0, 2.0])).asnumpy()
    array([0., 0.], dtype=float32)
    """
    return xp.zeros_like(data)


@op("ones_like", inplace={0: "data"}, kernel=True)
def ones_like(xp: Any, data: Any) -> Any:
    """Ones of the shape and dtype of `data`.  (MXNet operator ``ones_like``.)

    >>> mx.nd.ones_like(mx.nd.array([1.0, 2.0])).asnumpy()
    array([1., 1.], dtype=float32)
    """
    return xp.ones_like(data)


zeros_like.gradient("data")(flat)


@zeros_like.stored("csr -> csr", "row_sparse -> row_sparse")
def _(xp: Any, data: Any) -> Any:
    return blank(xp, data.stype, data.shape, data.dtype)


ones_like.gradient("data")(flat)
identity.sample(data=normal(2, 3))
block_grad.sample(data=normal(2, 3), _grad=())
identity_like_rhs.sample(lhs=normal(2, 3), rhs=normal(2, 3))
zeros_like.sample(data=normal(2, 3))
ones_like.sample(data=normal(2, 3))
