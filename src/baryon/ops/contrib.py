"""Small operators of MXNet's contrib: straight-through estimates, comparisons, transforms."""

from __future__ import annotations

from math import prod, sqrt
from typing import Any

import numpy as np

from ..base import MXNetError
from .attrs import Attrs, DType
from .indexing import embedding, take_gradient
from .numeric import widen
from .op import get, op
from .rules import broadcast_shapes, forward, output_dtype, unify
from .samples import constant, integers, normal
from .storage import KEEPS, case, on_values
from .unary import sign


@op("_contrib_div_sqrt_dim")
def div_sqrt_dim(xp: Any, data: Any) -> Any:
    """`data` divided by the square root of the size of its last axis.

    Source: Vaswani et al. 2017; MXNet operator contrib.div_sqrt_dim.

    >>> mx.nd.contrib.div_sqrt_dim(mx.nd.ones((1, 4))).asnumpy()
    array([[0.5, 0.5, 0.5, 0.5]], dtype=float32)
    """
    return data / sqrt(data.shape[-1])


@div_sqrt_dim.gradient("data")
def _(dy: Any) -> Any:
    return dy * (1 / sqrt(dy.shape[-1]))


@op(
    "_contrib_quadratic",
    storage=[case("csr -> csr", on_values, lambda op, attrs: attrs.c == 0)],
)
def quadratic(xp: Any, data: Any, *, a: float = 0.0, b: float = 0.0, c: float = 0.0) -> Any:
    """``a * data ** 2 + b * data + c``.  Source: MXNet operator contrib.quadratic.

    >>> mx.nd.contrib.quadratic(mx.nd.array([2.0]), a=1.0, b=2.0, c=3.0).asnumpy()
    array([11.], dtype=float32)
    """
    x = widen(xp, data)
    return (a * x + b) * x + c


@quadratic.gradient("data")
def _(dy: Any, data: Any, a: float, b: float) -> Any:
    return dy * (data * (2 * a) + b)


@op("_contrib_gradientmultiplier", inplace={0: "data"}, kernel="_copy", storage=KEEPS)
def gradientmultiplier(xp: Any, data: Any, *, scalar: float = 1.0, is_int: bool = True) -> Any:
    """`data`, whose gradient is multiplied by `scalar`; a negative one reverses it.

    `is_int` has no effect. Source: Ganin and Lempitsky, ICML 2015; MXNet operator
    contrib.gradientmultiplier.

    >>> x = mx.nd.array([1.0, 2.0])
    >>> x.attach_grad()
    >>> with mx.autograd.record():
    ...     y = mx.nd.contrib.gradientmultiplier(x, scalar=-3)
    >>> y.backward()
    >>> x.grad.asnumpy()
    array([-3., -3.], dtype=float32)
    """
    return data.copy()


@gradientmultiplier.gradient("data")
def _(dy: Any, scalar: float) -> Any:
    return dy * scalar


@op("_contrib_round_ste", aliases=("_sparse__contrib_round_ste",), storage=KEEPS)
def round_ste(xp: Any, data: Any) -> Any:
    """The nearest whole number, ties away from zero; gradients pass straight through.

    Source: Bengio et al. 2013; MXNet operator contrib.round_ste.

    >>> mx.nd.contrib.round_ste(mx.nd.array([-1.5, 0.4, 0.5])).asnumpy()
    array([-2.,  0.,  1.], dtype=float32)
    """
    return get("round").body(xp, data)


@op("_contrib_sign_ste", aliases=("_sparse__contrib_sign_ste",), storage=KEEPS)
def sign_ste(xp: Any, data: Any) -> Any:
    """The sign, -1, 0 or 1 (0 for NaN); gradients pass straight through.

    Source: Bengio et al. 2013; MXNet operator contrib.sign_ste.

    >>> mx.nd.contrib.sign_ste(mx.nd.array([-2.0, 0.0, 3.0])).asnumpy()
    array([-1.,  0.,  1.], dtype=float32)
    """
    return sign.body(xp, data)


def _straight_through(dy: Any) -> Any:
    return dy


round_ste.gradient("data")(_straight_through)
sign_ste.gradient("data")(_straight_through)


def _close_shape(attrs: Attrs, a: tuple, b: tuple) -> tuple:
    broadcast_shapes(a, b)
    return ()


@op("_contrib_allclose", shape=forward(_close_shape), dtype=output_dtype("uint8"))
def allclose(
    xp: Any, a: Any, b: Any, *, rtol: float = 1e-5, atol: float = 1e-8, equal_nan: bool = True
) -> Any:
    """1 if ``|a - b| <= atol + rtol * |b|`` everywhere, else 0: uint8, without axes.

    Two NaNs are close if `equal_nan`. Source: MXNet operator contrib.allclose.

    >>> mx.nd.contrib.allclose(mx.nd.ones((2,)), mx.nd.ones((2,))).asnumpy()
    array(1, dtype=uint8)
    """
    close = xp.isclose(widen(xp, a), widen(xp, b), rtol=rtol, atol=atol, equal_nan=equal_nan)
    return xp.asarray(close.all())


def _nnz_shape(attrs: Attrs, data: tuple) -> tuple:
    if len(data) != 2 or attrs.axis not in (None, 0, 1):
        raise MXNetError(f"expected a matrix and axis None, 0 or 1, got axis {attrs.axis}")
    return (1,) if attrs.axis is None else (data[1 - attrs.axis],)


@op("_contrib_getnnz", shape=forward(_nnz_shape), dtype=output_dtype("int64"))
def getnnz(xp: Any, data: Any, *, axis: int | None = None) -> Any:
    """How many elements of a matrix are not 0: in all, or along an axis.

    Source: MXNet operator contrib.getnnz.

    >>> mx.nd.contrib.getnnz(mx.nd.array([[0, 1], [2, 3]])).asnumpy()
    array([3])
    """
    return xp.asarray((data != 0).sum(axis=axis)).reshape(-1)


@getnnz.stored("csr -> default")
def _(xp: Any, data: Any, *, axis: int | None) -> Any:
    if axis is None:
        return xp.full(1, len(data.indices))
    if axis == 0:
        return xp.bincount(data.indices, minlength=data.shape[1])
    return data.indptr[1:] - data.indptr[:-1]


@op(
    "_contrib_SparseEmbedding",
    shape=embedding.shape_rule,
    dtype=embedding.dtype_rule,
    kernel=embedding.kernel,
    params=embedding.params,
    storage=embedding.storage,
)
def sparse_embedding(
    xp: Any,
    data: Any,
    weight: Any,
    *,
    input_dim: int,
    output_dim: int,
    dtype: DType = "float32",
    sparse_grad: bool = False,
) -> Any:
    """`Embedding` whose gradient is row_sparse, whatever `sparse_grad` says.

    Source: MXNet operator contrib.SparseEmbedding.

    >>> weight, rows = mx.nd.array([[0, 1], [2, 3]]), mx.nd.array([1])
    >>> mx.nd.contrib.SparseEmbedding(rows, weight, input_dim=2, output_dim=2).asnumpy()
    array([[2., 3.]], dtype=float32)
    """
    return embedding.body(xp, data, weight, input_dim=input_dim, output_dim=output_dim)


@sparse_embedding.gradient("weight")
def _(dy: Any, data: Any, weight: Any) -> Any:
    return take_gradient(dy, data, shape=weight.shape, sparse=True)


# ---- Fourier transforms and sketches -------------------------------------------------------------


def _doubled(attrs: Attrs, data: tuple) -> tuple:
    return *data[:-1], 2 * data[-1]


def _halved(attrs: Attrs, data: tuple) -> tuple:
    if not data or data[-1] % 2:
        raise MXNetError("the last axis must hold pairs of real and imaginary parts")
    return *data[:-1], data[-1] // 2


@op("_contrib_fft", shape=forward(_doubled))
def fft(xp: Any, data: Any, *, compute_size: int = 128) -> Any:
    """Discrete Fourier transform of the last axis: real and imaginary parts by turns.

    ``compute_size`` has no effect. Source: MXNet operator contrib.fft.

    >>> mx.nd.contrib.fft(mx.nd.array([[1, 0]])).asnumpy()
    array([[1., 0., 1., 0.]], dtype=float32)
    """
    z = xp.fft.fft(widen(xp, data), axis=-1)
    return xp.stack([z.real, z.imag], axis=-1).reshape(*data.shape[:-1], -1)


@op("_contrib_ifft", shape=forward(_halved))
def ifft(xp: Any, data: Any, *, compute_size: int = 128) -> Any:
    """Real part of the inverse Fourier transform of the last axis, times its size.

    data : real and imaginary parts by turns, as `fft` gives them. ``compute_size`` has no effect.
    Source: MXNet operator contrib.ifft.

    >>> mx.nd.contrib.ifft(mx.nd.array([[1, 0, 1, 0]])).asnumpy()
    array([[2., 0.]], dtype=float32)
    """
    x = widen(xp, data)
    z = x[..., ::2] + 1j * x[..., 1::2]
    return xp.fft.ifft(z, axis=-1).real * z.shape[-1]


@fft.gradient("data")
def _(dy: Any) -> Any:
    return ifft(dy)


@ifft.gradient("data")
def _(dy: Any) -> Any:
    return fft(dy)


def _sketch_shapes(attrs: Attrs, ins: list, outs: list) -> tuple[list, list]:
    data = ins[0]
    if data is not None:
        if any(s is not None and prod(s) != data[-1] for s in ins[1:]):
            raise MXNetError("h and s must have one entry for each of data's last axis")
        outs = [unify((*data[:-1], attrs.out_dim), outs[0])]
    return ins, outs


@op("_contrib_count_sketch", shape=_sketch_shapes)
def count_sketch(
    xp: Any, data: Any, h: Any, s: Any, *, out_dim: int, processing_batch_size: int = 32
) -> Any:
    """Count sketch of the last axis: element j is added, times ``s[j]``, at ``h[j]`` of the result.

    h : (1, d), places in [0, out_dim).   s : (1, d), signs. ``processing_batch_size`` has no
    effect. Source: Gao et al., CVPR 2016; MXNet operator contrib.count_sketch.

    >>> h, s = mx.nd.array([[0, 1, 0]]), mx.nd.array([[1, -1, 1]])
    >>> mx.nd.contrib.count_sketch(mx.nd.array([[1, 2, 3]]), h, s, out_dim=2).asnumpy()
    array([[ 4., -2.]], dtype=float32)
    """
    places = xp.clip(h.reshape(-1).astype(np.int64), 0, out_dim - 1)
    spread = xp.zeros((places.size, out_dim), widen(xp, data).dtype)
    spread[xp.arange(places.size), places] = s.reshape(-1)
    return xp.matmul(widen(xp, data), spread)


@count_sketch.gradient("data")
def _(dy: Any, h: Any, s: Any) -> Any:
    flat = (-1,)
    picked = get("take")(dy, get("Reshape")(h, shape=flat), axis=dy.ndim - 1)
    return get("broadcast_mul")(picked, get("Reshape")(s, shape=flat))


div_sqrt_dim.sample(data=normal(2, 3))
quadratic.sample(data=normal(2, 3), a=2.0, b=-1.0, c=0.5)
gradientmultiplier.sample(data=normal(2, 3), scalar=3.0, _grad=())
round_ste.sample(data=normal(2, 3, scale=3.0), _grad=())
sign_ste.sample(data=normal(2, 3), _grad=())
allclose.sample(a=normal(2, 3), b=normal(2, 3))
allclose.sample(a=constant([1.0, np.nan]), b=constant([1.0, np.nan]))
getnnz.sample(data=integers(3, 4, high=3))
getnnz.sample(data=integers(3, 4, high=3), axis=0)
sparse_embedding.sample(data=integers(3, 2, high=5), weight=normal(5, 4), input_dim=5, output_dim=4)
fft.sample(data=normal(2, 5))
ifft.sample(data=normal(2, 3, 8))
count_sketch.sample(
    data=normal(2, 5),
    h=integers(1, 5, high=3),
    s=constant([[1.0, -1.0, 1.0, 1.0, -1.0]]),
    out_dim=3,
    _grad=("data",),
)
