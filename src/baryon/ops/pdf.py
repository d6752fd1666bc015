"""Densities and probabilities of samples, with gradients, one set of parameters a row of samples.

Parameters have the leading axes of the samples. Probabilities of counts have no gradient with
respect to the count; nothing checks that samples lie where their distribution lives, as in MXNet.
"""

from __future__ import annotations

from collections.abc import Callable
from math import log, pi
from typing import Any

from ..base import MXNetError
from .attrs import Attrs
from .functions import digamma
from .numeric import widen
from .op import get, op
from .rules import forward, show
from .samples import constant, integers, normal
from .samples import uniform as spread
from .special import special


def _shape(attrs: Attrs, sample: tuple, *params: tuple) -> tuple:
    for p in params:
        if p != sample[: len(p)]:
            raise MXNetError(f"parameters {show(p)} are not the leading axes of {show(sample)}")
    return sample


def _density(name: str, shape: Callable = _shape) -> Callable:
    aliases = (f"random_pdf_{name}",)
    return op(f"_random_pdf_{name}", aliases=aliases, shape=forward(shape))


def _aligned(xp: Any, sample: Any, *params: Any) -> list:
    """Samples and parameters with as many axes, in a type for functions."""
    x = widen(xp, sample)
    return [x] + [widen(xp, p).reshape(p.shape + (1,) * (x.ndim - p.ndim)) for p in params]


def _result(xp: Any, log_density: Any, is_log: bool) -> Any:
    return log_density if is_log else xp.exp(log_density)


def _entries(sample: Any, *params: Any) -> list:
    """`_aligned` for graph entries."""
    return [sample] + [
        p
        if p.ndim == sample.ndim
        else get("Reshape")(p, shape=p.shape + (1,) * (sample.ndim - p.ndim))
        for p in params
    ]


def _chained(dy: Any, out: Any, is_log: bool, slopes: list, likes: list) -> list:
    """Gradients from the slopes of the log density, summed down to the shapes of the inputs."""
    head, grads = dy if is_log else dy * out, []
    for slope, like in zip(slopes, likes, strict=True):
        grad = None if slope is None else head * slope
        if grad is not None and grad.ndim > like.ndim:
            grad = get("sum")(grad, axis=tuple(range(like.ndim, grad.ndim)))
        grads.append(grad)
    return grads


@_density("uniform")
def pdf_uniform(xp: Any, sample: Any, low: Any, high: Any, *, is_log: bool = False) -> Any:
    """Density of the uniform distribution on [low, high), or its logarithm with `is_log`.

    Parameters have the leading axes of sample, the result all of them; `is_log` asks for the
    logarithm. Source: MXNet operator random_pdf_uniform.

    >>> one = mx.nd.ones((1,))
    >>> mx.nd.random_pdf_uniform(mx.nd.array([[1.5, 2.0]]), one, 3 * one).asnumpy()
    array([[0.5, 0.5]], dtype=float32)
    """
    x, low, high = _aligned(xp, sample, low, high)
    return _result(xp, xp.zeros_like(x) - xp.log(high - low), is_log)


@pdf_uniform.gradient("low", "high")
def _(dy: Any, out: Any, sample: Any, low: Any, high: Any, is_log: bool) -> Any:
    _, a, b = _entries(sample, low, high)
    width = b - a
    return _chained(dy, out, is_log, [1 / width, -1 / width], [low, high])


@_density("normal")
def pdf_normal(xp: Any, sample: Any, mu: Any, sigma: Any, *, is_log: bool = False) -> Any:
    """Density of the normal distribution with mean mu and deviation sigma, or its logarithm.

    Parameters have the leading axes of sample, the result all of them; `is_log` asks for the
    logarithm. Source: MXNet operator random_pdf_normal.

    >>> zero, one = mx.nd.zeros((1,)), mx.nd.ones((1,))
    >>> mx.nd.random_pdf_normal(mx.nd.array([[0.0]]), zero, one).asnumpy().round(4)
    array([[0.3989]], dtype=float32)
    """
    x, mu, sigma = _aligned(xp, sample, mu, sigma)
    unit = (x - mu) / sigma
    return _result(xp, -0.5 * unit * unit - xp.log(sigma) - 0.5 * log(2 * pi), is_log)


@pdf_normal.gradient("sample", "mu", "sigma")
def _(dy: Any, out: Any, sample: Any, mu: Any, sigma: Any, is_log: bool) -> Any:
    x, m, s = _entries(sample, mu, sigma)
    unit = (x - m) / s
    slopes = [-unit / s, unit / s, (unit * unit - 1) / s]
    return _chained(dy, out, is_log, slopes, [sample, mu, sigma])


@_density("gamma")
def pdf_gamma(xp: Any, sample: Any, alpha: Any, beta: Any, *, is_log: bool = False) -> Any:
    """Density of the gamma distribution with shape alpha and **rate** beta, or its logarithm.

    Parameters have the leading axes of sample, the result all of them; `is_log` asks for the
    logarithm. Source: MXNet operator random_pdf_gamma.

    >>> one = mx.nd.ones((1,))
    >>> mx.nd.random_pdf_gamma(mx.nd.array([[1.0]]), one, one, is_log=True).asnumpy()
    array([[-1.]], dtype=float32)
    """
    x, a, b = _aligned(xp, sample, alpha, beta)
    value = a * xp.log(b) + (a - 1) * xp.log(x) - b * x - special(xp, "gammaln", a)
    return _result(xp, value, is_log)


@pdf_gamma.gradient("sample", "alpha", "beta")
def _(dy: Any, out: Any, sample: Any, alpha: Any, beta: Any, is_log: bool) -> Any:
    x, a, b = _entries(sample, alpha, beta)
    slopes = [(a - 1) / x - b, get("log")(b) + get("log")(x) - digamma(a), a / b - x]
    return _chained(dy, out, is_log, slopes, [sample, alpha, beta])


@_density("exponential")
def pdf_exponential(xp: Any, sample: Any, lam: Any, *, is_log: bool = False) -> Any:
    """Density of the exponential distribution with rate lam, or its logarithm.

    Parameters have the leading axes of sample, the result all of them; `is_log` asks for the
    logarithm. Source: MXNet operator random_pdf_exponential.

    >>> mx.nd.random_pdf_exponential(mx.nd.array([[0.0]]), mx.nd.array([2.0])).asnumpy()
    array([[2.]], dtype=float32)
    """
    x, rate = _aligned(xp, sample, lam)
    return xp.log(rate) - rate * x if is_log else rate * xp.exp(-rate * x)


@pdf_exponential.gradient("sample", "lam")
def _(dy: Any, out: Any, sample: Any, lam: Any, is_log: bool) -> Any:
    x, rate = _entries(sample, lam)
    slopes = [-get("broadcast_like")(rate, x), 1 / rate - x]
    return _chained(dy, out, is_log, slopes, [sample, lam])


@_density("poisson")
def pdf_poisson(xp: Any, sample: Any, lam: Any, *, is_log: bool = False) -> Any:
    """Probability of counts under the Poisson distribution with mean lam, or its logarithm.

    Parameters have the leading axes of sample, the result all of them; `is_log` asks for the
    logarithm. Source: MXNet operator random_pdf_poisson.

    >>> mx.nd.random_pdf_poisson(mx.nd.array([[0.0]]), mx.nd.ones((1,)), is_log=True).asnumpy()
    array([[-1.]], dtype=float32)
    """
    x, mean = _aligned(xp, sample, lam)
    value = x * xp.log(mean) - mean - special(xp, "gammaln", x + 1)
    return _result(xp, value, is_log)


@pdf_poisson.gradient("lam")
def _(dy: Any, out: Any, sample: Any, lam: Any, is_log: bool) -> Any:
    x, mean = _entries(sample, lam)
    return _chained(dy, out, is_log, [x / mean - 1], [lam])[0]


def _failures(xp: Any, x: Any, k: Any, p: Any) -> Any:
    """Log probability of x failures before the k-th success of probability p."""
    ways = special(xp, "gammaln", x + k) - special(xp, "gammaln", x + 1)
    return ways - special(xp, "gammaln", k) + k * xp.log(p) + x * xp.log(1 - p)


@_density("negative_binomial")
def pdf_negative_binomial(xp: Any, sample: Any, k: Any, p: Any, *, is_log: bool = False) -> Any:
    """Probability of that many failures before the k-th success of probability p, or its logarithm.

    Parameters have the leading axes of sample, the result all of them; `is_log` asks for the
    logarithm. Source: MXNet operator random_pdf_negative_binomial.

    >>> half, one = mx.nd.array([0.5]), mx.nd.ones((1,))
    >>> mx.nd.random_pdf_negative_binomial(mx.nd.array([[1.0]]), one, half).asnumpy()
    array([[0.25]], dtype=float32)
    """
    return _result(xp, _failures(xp, *_aligned(xp, sample, k, p)), is_log)


@pdf_negative_binomial.gradient("k", "p")
def _(dy: Any, out: Any, sample: Any, k: Any, p: Any, is_log: bool) -> Any:
    x, count, chance = _entries(sample, k, p)
    slopes = [
        digamma(x + count) - digamma(count) + get("log")(chance),
        count / chance - x / (1 - chance),
    ]
    return _chained(dy, out, is_log, slopes, [k, p])


@_density("generalized_negative_binomial")
def pdf_generalized_negative_binomial(
    xp: Any, sample: Any, mu: Any, alpha: Any, *, is_log: bool = False
) -> Any:
    """Probability under the negative binomial with mean mu and variance ``mu + alpha * mu ** 2``.

    Parameters have the leading axes of sample, the result all of them; `is_log` asks for the
    logarithm. Source: MXNet operator random_pdf_generalized_negative_binomial.

    >>> one = mx.nd.ones((1,))
    >>> mx.nd.random_pdf_generalized_negative_binomial(mx.nd.array([[1.0]]), one, one).asnumpy()
    array([[0.25]], dtype=float32)
    """
    x, mean, a = _aligned(xp, sample, mu, alpha)
    return _result(xp, _failures(xp, x, 1 / a, 1 / (1 + mean * a)), is_log)


@pdf_generalized_negative_binomial.gradient("mu", "alpha")
def _(dy: Any, out: Any, sample: Any, mu: Any, alpha: Any, is_log: bool) -> Any:
    x, mean, a = _entries(sample, mu, alpha)
    count, odds = 1 / a, 1 + mean * a
    by_count = digamma(x + count) - digamma(count) - get("log")(odds)
    slopes = [x / mean - (x + count) * a / odds, x / a - (x + count) * mean / odds]
    slopes[1] = slopes[1] - by_count * count * count
    return _chained(dy, out, is_log, slopes, [mu, alpha])


def _dirichlet_shape(attrs: Attrs, sample: tuple, alpha: tuple) -> tuple:
    if not alpha or alpha[-1] != sample[-1]:
        raise MXNetError(f"samples {show(sample)} and alpha {show(alpha)} differ in the last axis")
    return _shape(attrs, sample[:-1], alpha[:-1]) or (1,)  # of one vector, too, one element


def _weights(alpha: Any, ndim: int) -> tuple:
    """Shape of alpha with as many axes as the samples."""
    return *alpha.shape[:-1], *(1,) * (ndim - alpha.ndim), alpha.shape[-1]


@_density("dirichlet", _dirichlet_shape)
def pdf_dirichlet(xp: Any, sample: Any, alpha: Any, *, is_log: bool = False) -> Any:
    """Density of the Dirichlet distribution over the last axis, or its logarithm with `is_log`.

    sample : (..., k), rows that sum to 1.   alpha : (leading axes of sample, k).

    >>> mx.nd.random_pdf_dirichlet(mx.nd.array([[0.5, 0.5]]), mx.nd.ones((1, 2))).asnumpy()
    array([1.], dtype=float32)
    """
    x, a = widen(xp, sample), widen(xp, alpha).reshape(_weights(alpha, sample.ndim))
    value = ((a - 1) * xp.log(x) - special(xp, "gammaln", a)).sum(axis=-1)
    value = value + special(xp, "gammaln", a.sum(axis=-1))
    return _result(xp, value.reshape(sample.shape[:-1] or (1,)), is_log)


@pdf_dirichlet.gradient("sample", "alpha")
def _(dy: Any, out: Any, sample: Any, alpha: Any, is_log: bool) -> Any:
    a = get("Reshape")(alpha, shape=_weights(alpha, sample.ndim))
    total = get("sum")(a, axis=a.ndim - 1, keepdims=True)
    head = get("Reshape")(dy if is_log else dy * out, shape=(*sample.shape[:-1], 1))
    by_alpha = head * (get("log")(sample) - digamma(a) + digamma(total))
    extra = tuple(range(alpha.ndim - 1, sample.ndim - 1))
    return head * ((a - 1) / sample), get("sum")(by_alpha, axis=extra) if extra else by_alpha


def _positive(*shape: int) -> Any:
    return spread(*shape, low=0.6, high=2.0)


_counts, _chance = integers(2, 3, low=0, high=5), spread(2, low=0.3, high=0.7)
_rows = constant([[[0.2, 0.3, 0.5], [0.6, 0.3, 0.1]], [[0.1, 0.1, 0.8], [0.4, 0.5, 0.1]]])
for _log in (False, True):
    pdf_uniform.sample(
        sample=_positive(2, 3),
        low=spread(2, high=0.0),
        high=spread(2, low=2.0, high=3.0),
        is_log=_log,
    )
    pdf_normal.sample(sample=normal(2, 3), mu=normal(2), sigma=_positive(2), is_log=_log)
    pdf_gamma.sample(sample=_positive(2, 3), alpha=_positive(2), beta=_positive(2), is_log=_log)
    pdf_exponential.sample(sample=_positive(2, 3), lam=_positive(2), is_log=_log)
    pdf_poisson.sample(sample=_counts, lam=_positive(2), is_log=_log)
    pdf_negative_binomial.sample(sample=_counts, k=_positive(2), p=_chance, is_log=_log)
    pdf_generalized_negative_binomial.sample(
        sample=_counts, mu=_positive(2), alpha=_positive(2), is_log=_log
    )
    pdf_dirichlet.sample(sample=_rows, alpha=_positive(2, 3), is_log=_log)
pdf_normal.sample(sample=normal(2, 2), mu=normal(2, 2), sigma=_positive(2, 2))
