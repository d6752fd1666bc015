"""Random samplers with fixed parameters: uniform, normal, randint and shapes like another array."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ..base import MXNetError
from .attrs import Attrs, DType, Shape
from .op import Spec, op
from .rules import Rule, attr_dtype, unify
from .samples import normal as gaussian


def drawn_shape(attrs: Attrs, ins: list, outs: list) -> tuple[list, list]:
    """The output has the attribute ``shape``, one element where that is not given."""
    shape = (1,) if attrs.shape is None else attrs.shape
    return ins, [unify(shape, outs[0])]


def sampler(name: str, params: Any = None, dtype: Rule | None = None) -> Any:
    """Declares the operator ``_random_NAME`` with the alias ``random_NAME``."""
    aliases = (f"random_{name}", *((name,) if name in ("uniform", "normal") else ()))
    return op(
        f"_random_{name}",
        aliases=aliases if name != "randint" else (*aliases, "_npi_random_randint"),
        shape=drawn_shape,
        dtype=dtype or attr_dtype(default="float32"),
        kernel=params is not None,
        params=params,
    )


def like(name: str, params: Any = None) -> Any:
    """Declares the operator ``_random_NAME_like``, whose output is like its input."""
    kernel = f"_random_{name}" if params else None
    return op(f"_random_{name}_like", kernel=kernel, params=params)


def real(dtype: Any) -> Any:
    """The type to draw in: float64 for float64, else float32."""
    return np.float64 if dtype == np.float64 else np.float32


def _two(first: str, second: str) -> Any:
    """Kernel parameters: two attributes, for outputs that the kernels write."""

    def params(attrs: Attrs, ins: Sequence[Spec], outs: Sequence[Spec]) -> tuple | None:
        if outs[0].dtype not in (np.float32, np.float64) or attrs.get("scale", 0) < 0:
            return None
        return attrs[first], attrs[second]

    return params


def _positive(name: str, value: float) -> None:
    if value < 0:
        raise MXNetError(f"attribute {name} must not be negative, got {value}")


def draw_uniform(rng: Any, shape: tuple, dtype: Any, low: float, high: float) -> Any:
    """Uniform values in [low, high)."""
    return low + (high - low) * rng.uniform(shape, real(dtype))


def draw_normal(rng: Any, shape: tuple, dtype: Any, loc: float, scale: float) -> Any:
    """Gaussian values with mean loc and standard deviation scale."""
    _positive("scale", scale)
    return loc + scale * rng.normal(shape, real(dtype))


@sampler("uniform", _two("low", "high"))
def random_uniform(
    xp,
    *,
    low: float = 0.0,
    high: float = 1.0,
    shape: Shape | None = None,
    ctx: str = "",
    dtype: DType | None = None,
    rng,
):
    """Values evenly spread over [low, high), float32 unless `dtype` says otherwise.

    MXNet's operator ``_random_uniform``; ``ctx`` names the device. The result has `shape`, by
    default one element.

    >>> mx.nd.random.uniform(0, 1, shape=(2, 3)).shape
    (2, 3)
    """
    return draw_uniform(rng, (1,) if shape is None else shape, dtype, low, high)


@sampler("normal", _two("loc", "scale"))
def random_normal(
    xp,
    *,
    loc: float = 0.0,
    scale: float = 1.0,
    shape: Shape | None = None,
    ctx: str = "",
    dtype: DType | None = None,
    rng,
):
    """Gaussian values with mean `loc` and standard deviation `scale` (``_random_normal``).

    The result has `shape` (one element by default) and `dtype` (default float32); `ctx` names the
    device.

    >>> mx.nd.random.normal(0, 1, shape=(2, 3)).shape
    (2, 3)
    """
    return draw_normal(rng, (1,) if shape is None else shape, dtype, loc, scale)


@like("uniform", _two("low", "high"))
def random_uniform_like(xp, data, *, low: float = 0.0, high: float = 1.0, rng):
    """`random_uniform` with the shape and dtype of data.

    >>> x = mx.nd.random.uniform_like(mx.nd.zeros((2, 3)), low=2.0, high=3.0)
    >>> x.shape, bool(x.min() >= 2)
    ((2, 3), True)
    """
    return draw_uniform(rng, data.shape, data.dtype, low, high)


@like("normal", _two("loc", "scale"))
def random_normal_like(xp, data, *, loc: float = 0.0, scale: float = 1.0, rng):
    """`random_normal` with the shape and dtype of data.

    >>> mx.nd.random.normal_like(mx.nd.zeros((2, 3)), loc=5.0, scale=0.0).asnumpy()
    array([[5., 5., 5.],
           [5., 5., 5.]], dtype=float32)
    """
    return draw_normal(rng, data.shape, data.dtype, loc, scale)


@sampler("randint", dtype=attr_dtype(default="int32"))
def random_randint(
    xp,
    *,
    low: int,
    high: int,
    shape: Shape | None = None,
    ctx: str = "",
    dtype: DType | None = None,
    rng,
):
    """Integers evenly spread over [low, high), int32 unless `dtype` is int64 (``_random_randint``).

    >>> mx.nd.random.randint(3, 4, shape=(2,)).asnumpy()
    array([3, 3], dtype=int32)
    """
    if low >= high:
        raise MXNetError(f"low must be below high, got {low} and {high}")
    words = rng.bits((*((1,) if shape is None else shape), 2)).astype(xp.uint64)
    wide = (words[..., 0] << np.uint64(32)) | words[..., 1]
    return (wide % np.uint64(high - low)).astype(xp.int64) + low


@op("_shuffle", aliases=("shuffle", "_npi_shuffle"))
def shuffle(xp, data, *, rng):
    """Data with its entries along axis 0 in random order, every order equally likely.

    MXNet's operator ``_shuffle``.

    >>> sorted(mx.nd.random.shuffle(mx.nd.array([1.0, 2.0])).asnumpy().tolist())
    [1.0, 2.0]
    """
    keys = rng.uniform((data.shape[0],), np.float64)
    return data[xp.argsort(keys)]


random_uniform.sample(shape=(4, 5))
random_normal.sample(shape=(4, 5), loc=1.0)
random_uniform.sample(low=-1.0, high=2.0, shape=(3,), dtype="float64")
random_uniform_like.sample(data=gaussian(2, 7), low=-1.0, high=1.0)
random_normal_like.sample(data=gaussian(2, 7), scale=2.0)
random_randint.sample(low=-3, high=9, shape=(20,))
shuffle.sample(data=gaussian(7, 2))
