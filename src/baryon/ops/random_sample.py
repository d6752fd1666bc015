"""Random samplers whose parameters are arrays, one distribution an entry."""

from __future__ import annotations

from typing import Any

import numpy as np

from . import sampling
from .attrs import Attrs, DType, Shape
from .op import get, op
from .rules import attr_dtype, forward
from .samples import normal, uniform


def _sample(name: str) -> Any:
    """Declares ``_sample_NAME``: for each parameter, values of the attribute ``shape``."""
    return op(
        f"_sample_{name}",
        aliases=(f"sample_{name}",),
        shape=forward(lambda a, *ins: tuple(ins[0]) + tuple(a.shape)),
        dtype=attr_dtype(),
    )


def _spread(xp: Any, shape: tuple, *parameters: Any) -> list:
    """Each parameter repeated for every value drawn with it."""
    full = parameters[0].shape + tuple(shape)
    ones = (1,) * len(shape)
    return [xp.broadcast_to(p.reshape(p.shape + ones), full) for p in parameters]


@_sample("uniform")
def sample_uniform(xp, low, high, *, shape: Shape = (), dtype: DType | None = None, rng):
    """For each pair of bounds, values of `shape` in [low, high) (``_sample_uniform``).

    The result has the parameters' axes and then those of `shape`, and the parameters' dtype unless
    `dtype` says otherwise.

    >>> low, high = mx.nd.array([0.0, 5.0]), mx.nd.array([1.0, 5.0])
    >>> x = mx.nd.sample_uniform(low, high, shape=(3,))
    >>> x.shape, x[1].asnumpy().tolist()
    ((2, 3), [5.0, 5.0, 5.0])
    """
    low, high = _spread(xp, shape, low, high)
    return low + (high - low) * rng.uniform(low.shape)


@_sample("normal")
def sample_normal(xp, mu, sigma, *, shape: Shape = (), dtype: DType | None = None, rng):
    """For each mean and standard deviation, Gaussian values of `shape` (``_sample_normal``).

    The result has the parameters' axes and then those of `shape`, and the parameters' dtype unless
    `dtype` says otherwise.

    >>> mu, sigma = mx.nd.array([1.0, 2.0]), mx.nd.array([0.0, 0.0])
    >>> mx.nd.sample_normal(mu, sigma, shape=(2,)).asnumpy()
    array([[1., 1.],
           [2., 2.]], dtype=float32)
    """
    mu, sigma = _spread(xp, shape, mu, sigma)
    return mu + sigma * rng.normal(mu.shape)


@_sample("gamma")
def sample_gamma(xp, alpha, beta, *, shape: Shape = (), dtype: DType | None = None, rng):
    """For each shape parameter and scale, gamma values of `shape` (``_sample_gamma``).

    The result has the parameters' axes and then those of `shape`, and the parameters' dtype unless
    `dtype` says otherwise.

    >>> mx.nd.sample_gamma(mx.nd.array([1.0, 2.0]), mx.nd.array([1.0, 0.5]), shape=(3,)).shape
    (2, 3)
    """
    alpha, beta = _spread(xp, shape, alpha, beta)
    return rng.gamma(alpha) * beta


@_sample("exponential")
def sample_exponential(xp, lam, *, shape: Shape = (), dtype: DType | None = None, rng):
    """For each rate, exponential values of `shape` (``_sample_exponential``).

    The result has the parameters' axes and then those of `shape`, and the parameters' dtype unless
    `dtype` says otherwise.

    >>> mx.nd.sample_exponential(mx.nd.array([1.0, 8.0]), shape=(3,)).shape
    (2, 3)
    """
    (lam,) = _spread(xp, shape, lam)
    return sampling.standard_exponential(xp, rng, lam.shape) / lam


@_sample("poisson")
def sample_poisson(xp, lam, *, shape: Shape = (), dtype: DType | None = None, rng):
    """For each mean, Poisson values of `shape` (``_sample_poisson``).

    The result has the parameters' axes and then those of `shape`, and the parameters' dtype unless
    `dtype` says otherwise.

    >>> mx.nd.sample_poisson(mx.nd.array([0.0, 0.0]), shape=(2,)).asnumpy()
    array([[0., 0.],
           [0., 0.]], dtype=float32)
    """
    return rng.poisson(*_spread(xp, shape, lam))


@_sample("negative_binomial")
def sample_negative_binomial(xp, k, p, *, shape: Shape = (), dtype: DType | None = None, rng):
    """For each pair, values of `random_negative_binomial` (``_sample_negative_binomial``).

    The result has the parameters' axes and then those of `shape`, and the parameters' dtype unless
    `dtype` says otherwise.

    >>> k, p = mx.nd.array([1.0, 2.0]), mx.nd.array([1.0, 1.0])
    >>> mx.nd.sample_negative_binomial(k, p, shape=(2,)).asnumpy()
    array([[0., 0.],
           [0., 0.]], dtype=float32)
    """
    return sampling.negative_binomial(xp, rng, *_spread(xp, shape, k, p))


@_sample("generalized_negative_binomial")
def sample_generalized_negative_binomial(
    xp, mu, alpha, *, shape: Shape = (), dtype: DType | None = None, rng
):
    """For each pair, values of `random_generalized_negative_binomial`.

    The result has the parameters' axes and then those of `shape`, and the parameters' dtype unless
    `dtype` says otherwise.

    >>> mu, alpha = mx.nd.array([0.0]), mx.nd.array([0.5])
    >>> mx.nd.sample_generalized_negative_binomial(mu, alpha, shape=(2,)).asnumpy()
    array([[0., 0.]], dtype=float32)
    """
    return sampling.generalized_negative_binomial(xp, rng, *_spread(xp, shape, mu, alpha))


def _multinomial_dtypes(attrs: Any, *ins: Any) -> list:
    return [attrs.dtype, ins[0]][: 2 if attrs.get_prob else 1]


def _multinomial_shape(attrs: Any, data: tuple[int, ...]) -> tuple[int, ...]:
    return tuple(data[:-1]) + tuple(attrs.shape) or (1,)


@op(
    "_sample_multinomial",
    aliases=("sample_multinomial",),
    shape=forward(_multinomial_shape),
    dtype=lambda a, ins, outs: (ins, _multinomial_dtypes(a, *ins)),
    outputs=lambda a: ("output", "log_probability")[: 2 if a.get_prob else 1],
)
def sample_multinomial(
    xp, data, *, shape: Shape = (), get_prob: bool = False, dtype: DType = "int32", rng
):
    """Categories drawn with the probabilities along the last axis of data.

    For each row values of `shape`; with ``get_prob`` also the logarithm of what was drawn's
    probability, whose gradient flows to data (MXNet's operator ``_sample_multinomial``). `dtype` is
    that of the categories.

    >>> mx.nd.sample_multinomial(mx.nd.array([[0.0, 1.0], [1.0, 0.0]]), shape=(3,)).asnumpy()
    array([[1, 1, 1],
           [0, 0, 0]], dtype=int32)
    """
    rows = data.reshape(-1, data.shape[-1]).astype(np.float64)
    count = int(np.prod(shape, dtype=int))
    bounds = xp.cumsum(rows, axis=1)
    u = rng.uniform((len(rows), count, 1), np.float64) * bounds[:, None, -1:]
    index = xp.minimum((u >= bounds[:, None, :]).sum(axis=2), data.shape[-1] - 1)
    full = _multinomial_shape(Attrs(shape=shape), data.shape)
    if not get_prob:
        return index.reshape(full)
    chosen = xp.take_along_axis(rows, index, axis=1)
    return index.reshape(full), xp.log(chosen).reshape(full)


@sample_multinomial.gradient("data")
def _(dys, output, data):
    return _log_gradient(dys[1], output, data) if len(dys) > 1 else None


def _log_gradient(dy: Any, index: Any, data: Any) -> Any:
    """Head gradients over the probabilities drawn, summed where they were drawn."""
    classes, rows = data.shape[-1], int(np.prod(data.shape[:-1], dtype=int))
    chosen = get("one_hot")(index, depth=classes, dtype=data.dtype)
    spread = get("Reshape")(chosen, shape=(rows, -1, classes))
    heads = get("Reshape")(dy, shape=(rows, -1, 1))
    total = get("Reshape")(get("sum")(spread * heads, axis=1), shape=data.shape)
    return total / data


_parameter = uniform(2, low=0.5, high=0.9)
sample_uniform.sample(low=uniform(2, high=0.0), high=_parameter, shape=(3,))
sample_normal.sample(mu=normal(2), sigma=_parameter, shape=(3,))
sample_gamma.sample(alpha=_parameter, beta=_parameter, shape=(3,))
sample_exponential.sample(lam=_parameter, shape=(3,))
sample_poisson.sample(lam=_parameter, shape=(3,))
sample_negative_binomial.sample(k=_parameter, p=_parameter, shape=(3,))
sample_generalized_negative_binomial.sample(mu=_parameter, alpha=_parameter, shape=(3,))
sample_multinomial.sample(data=uniform(2, 4, low=0.1, high=1.0), shape=(5,), _grad=())
