"""The other random samplers with fixed parameters, as arrays and like another array."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..base import MXNetError
from . import sampling
from .attrs import DType, Shape
from .random import like, sampler
from .samples import normal


def check(kind: str, name: str, valid: bool, value: Any) -> None:
    """MXNetError for a parameter of a distribution outside of its range."""
    if not valid:
        raise MXNetError(f"operator {kind}: attribute {name} is out of range, got {value}")


def _gamma(xp: Any, rng: Any, shape: tuple, alpha: float, beta: float) -> Any:
    check("_random_gamma", "alpha", alpha > 0, alpha)
    check("_random_gamma", "beta", beta > 0, beta)
    return rng.gamma(xp.full(shape, alpha)) * beta


def _exponential(xp: Any, rng: Any, shape: tuple, lam: float) -> Any:
    check("_random_exponential", "lam", lam > 0, lam)
    return sampling.standard_exponential(xp, rng, shape) / lam


def _poisson(xp: Any, rng: Any, shape: tuple, lam: float) -> Any:
    check("_random_poisson", "lam", lam >= 0, lam)
    return rng.poisson(xp.full(shape, lam, np.float64))


def _negative_binomial(xp: Any, rng: Any, shape: tuple, k: int, p: float) -> Any:
    check("_random_negative_binomial", "k", k > 0, k)
    check("_random_negative_binomial", "p", 0 < p <= 1, p)
    return sampling.negative_binomial(xp, rng, xp.full(shape, k, np.float64), p)


def _generalized(xp: Any, rng: Any, shape: tuple, mu: float, alpha: float) -> Any:
    check("_random_generalized_negative_binomial", "mu", mu >= 0, mu)
    check("_random_generalized_negative_binomial", "alpha", alpha >= 0, alpha)
    full = xp.full(shape, mu, np.float64), xp.full(shape, alpha, np.float64)
    return sampling.generalized_negative_binomial(xp, rng, *full)


def _of(shape: tuple[int, ...] | None) -> tuple[int, ...]:
    return (1,) if shape is None else shape


@sampler("gamma")
def random_gamma(
    xp,
    *,
    alpha: float = 1.0,
    beta: float = 1.0,
    shape: Shape | None = None,
    ctx: str = "",
    dtype: DType | None = None,
    rng,
):
    """Gamma values with shape parameter `alpha` and scale `beta` (``_random_gamma``).

    The result has `shape` (one element by default) and `dtype` (default float32); `ctx` names the
    device.

    >>> mx.nd.random.gamma(2.0, 0.5, shape=(2, 3)).shape
    (2, 3)
    """
    return _gamma(xp, rng, _of(shape), alpha, beta)


@sampler("exponential")
def random_exponential(
    xp,
    *,
    lam: float = 1.0,
    shape: Shape | None = None,
    ctx: str = "",
    dtype: DType | None = None,
    rng,
):
    """Exponential values with rate `lam`, mean ``1 / lam`` (``_random_exponential``).

    The result has `shape` (one element by default) and `dtype` (default float32); `ctx` names the
    device.

    >>> mx.nd.random_exponential(lam=2.0, shape=(2, 3)).shape
    (2, 3)
    """
    return _exponential(xp, rng, _of(shape), lam)


@sampler("poisson")
def random_poisson(
    xp,
    *,
    lam: float = 1.0,
    shape: Shape | None = None,
    ctx: str = "",
    dtype: DType | None = None,
    rng,
):
    """Poisson values with mean `lam` (``_random_poisson``).

    The result has `shape` (one element by default) and `dtype` (default float32); `ctx` names the
    device.

    >>> mx.nd.random.poisson(0.0, shape=(3,)).asnumpy()
    array([0., 0., 0.], dtype=float32)
    """
    return _poisson(xp, rng, _of(shape), lam)


@sampler("negative_binomial")
def random_negative_binomial(
    xp,
    *,
    k: int = 1,
    p: float = 1.0,
    shape: Shape | None = None,
    ctx: str = "",
    dtype: DType | None = None,
    rng,
):
    """Failures before the `k`-th success of probability `p` (``_random_negative_binomial``).

    The result has `shape` (one element by default) and `dtype` (default float32); `ctx` names the
    device.

    >>> mx.nd.random.negative_binomial(3, 1.0, shape=(2,)).asnumpy()
    array([0., 0.], dtype=float32)
    """
    return _negative_binomial(xp, rng, _of(shape), k, p)


@sampler("generalized_negative_binomial")
def random_generalized_negative_binomial(
    xp,
    *,
    mu: float = 1.0,
    alpha: float = 1.0,
    shape: Shape | None = None,
    ctx: str = "",
    dtype: DType | None = None,
    rng,
):
    """Negative binomial values with mean `mu` and variance ``mu + alpha * mu ** 2``.

    The result has `shape` (one element by default) and `dtype` (default float32); `ctx` names the
    device.

    >>> mx.nd.random.generalized_negative_binomial(0.0, 0.5, shape=(2,)).asnumpy()
    array([0., 0.], dtype=float32)
    """
    return _generalized(xp, rng, _of(shape), mu, alpha)


@like("gamma")
def random_gamma_like(xp, data, *, alpha: float = 1.0, beta: float = 1.0, rng):
    """`random_gamma` with the shape and dtype of data.

    >>> mx.nd.random.gamma_like(mx.nd.zeros((2, 3)), alpha=2.0).shape
    (2, 3)
    """
    return _gamma(xp, rng, data.shape, alpha, beta)


@like("exponential")
def random_exponential_like(xp, data, *, lam: float = 1.0, rng):
    """`random_exponential` with the shape and dtype of data.

    >>> mx.nd.random.exponential_like(mx.nd.zeros((2, 3)), lam=2.0).shape
    (2, 3)
    """
    return _exponential(xp, rng, data.shape, lam)


@like("poisson")
def random_poisson_like(xp, data, *, lam: float = 1.0, rng):
    """`random_poisson` with the shape and dtype of data.

    >>> mx.nd.random.poisson_like(mx.nd.ones((2,)), lam=0.0).asnumpy()
    array([0., 0.], dtype=float32)
    """
    return _poisson(xp, rng, data.shape, lam)


@like("negative_binomial")
def random_negative_binomial_like(xp, data, *, k: int = 1, p: float = 1.0, rng):
    """`random_negative_binomial` with the shape and dtype of data.

    >>> mx.nd.random.negative_binomial_like(mx.nd.ones((2,)), k=3, p=1.0).asnumpy()
    array([0., 0.], dtype=float32)
    """
    return _negative_binomial(xp, rng, data.shape, k, p)


@like("generalized_negative_binomial")
def random_generalized_negative_binomial_like(
    xp, data, *, mu: float = 1.0, alpha: float = 1.0, rng
):
    """`random_generalized_negative_binomial` with the shape and dtype of data.

    >>> mx.nd.random.generalized_negative_binomial_like(mx.nd.ones((2,)), mu=0.0).asnumpy()
    array([0., 0.], dtype=float32)
    """
    return _generalized(xp, rng, data.shape, mu, alpha)


random_gamma.sample(alpha=0.5, beta=2.0, shape=(20,))
random_exponential.sample(lam=2.0, shape=(20,))
random_poisson.sample(lam=4.0, shape=(20,))
random_negative_binomial.sample(k=3, p=0.4, shape=(20,))
random_generalized_negative_binomial.sample(mu=3.0, alpha=0.4, shape=(20,))
for _made in (random_gamma_like, random_exponential_like, random_poisson_like):
    _made.sample(data=normal(3, 4))
random_negative_binomial_like.sample(data=normal(3, 4), k=2, p=0.5)
random_generalized_negative_binomial_like.sample(data=normal(3, 4), mu=2.0)
