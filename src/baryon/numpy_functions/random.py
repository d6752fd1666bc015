"""Random numbers of the NumPy interface (``mx.np.random``).

Parameters of a distribution are numbers, or arrays or symbols that broadcast with each other and
to `size`. The numbers follow from ``mx.random.seed``.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ..ops.operators import is_number
from .call import Draw, call, drawn, is_tensor, require_tensors

__all__ = [
    "beta", "chisquare", "choice", "exponential", "gamma", "gumbel", "logistic", "lognormal",
    "multinomial", "multivariate_normal", "normal", "pareto", "power", "rand", "randint", "randn",
    "rayleigh", "shuffle", "uniform", "weibull",
]  # fmt: skip


def _size(size: Any) -> tuple[int, ...] | None:
    """A size as a tuple; None: that of the parameters."""
    if size is None:
        return None
    try:
        dims = (size,) if isinstance(size, (int, np.integer)) else tuple(size)
        return tuple(d.__index__() for d in dims)
    except (TypeError, AttributeError):
        raise TypeError(f"size must be an integer or a tuple of integers, got {size!r}") from None


def sample(
    draw: Draw, op: str, parameters: dict[str, Any], size: Any, out: Any = None, **attrs: Any
) -> Any:
    """Draw with numbers as attributes and tensors as inputs.

    Without a size the result has the shape of the tensors, broadcast; of numbers alone, ``()``.
    """
    for name, value in parameters.items():
        if not is_tensor(value) and not is_number(value):
            raise TypeError(f"{op[5:]}: {name} must be a number or an array, got {type(value)}")
    inputs = [v for v in parameters.values() if is_tensor(v)]
    numbers = {k: None if is_tensor(v) else float(v) for k, v in parameters.items()}
    return draw(op, *inputs, out=out, size=_size(size), **numbers, **attrs)


@drawn
def uniform(
    draw: Draw,
    low: Any = 0.0,
    high: Any = 1.0,
    size: Any = None,
    dtype: Any = None,
    ctx: Any = None,
    out: Any = None,
) -> Any:
    """Numbers uniform in [low, high).

    >>> mx.np.random.uniform(2, 3, size=(2, 2)).shape
    (2, 2)
    """
    given = {"low": low, "high": high}
    return sample(draw, "_npi_uniform", given, size, out, dtype=dtype, ctx=ctx)


@drawn
def normal(
    draw: Draw,
    loc: Any = 0.0,
    scale: Any = 1.0,
    size: Any = None,
    dtype: Any = None,
    ctx: Any = None,
    out: Any = None,
) -> Any:
    """Normal numbers of mean `loc` and standard deviation `scale`.

    >>> mx.np.random.normal(mx.np.zeros(3), 2.0).shape
    (3,)
    """
    given = {"loc": loc, "scale": scale}
    return sample(draw, "_npi_normal", given, size, out, dtype=dtype, ctx=ctx)


@drawn
def lognormal(
    draw: Draw,
    mean: Any = 0.0,
    sigma: Any = 1.0,
    size: Any = None,
    dtype: Any = None,
    ctx: Any = None,
    out: Any = None,
) -> Any:
    """Numbers whose logarithm is normal.

    >>> bool((mx.np.random.lognormal(size=3) > 0).all())
    True
    """
    return call("_npi_exp", normal(draw, mean, sigma, size, dtype, ctx), out=out)


@drawn
def logistic(
    draw: Draw,
    loc: Any = 0.0,
    scale: Any = 1.0,
    size: Any = None,
    ctx: Any = None,
    out: Any = None,
) -> Any:
    """Logistic numbers.

    >>> mx.np.random.logistic(size=2).shape
    (2,)
    """
    return sample(draw, "_npi_logistic", {"loc": loc, "scale": scale}, size, out, ctx=ctx)


@drawn
def gumbel(
    draw: Draw,
    loc: Any = 0.0,
    scale: Any = 1.0,
    size: Any = None,
    ctx: Any = None,
    out: Any = None,
) -> Any:
    """Numbers of Gumbel's distribution of extremes.

    >>> mx.np.random.gumbel(size=2).shape
    (2,)
    """
    return sample(draw, "_npi_gumbel", {"loc": loc, "scale": scale}, size, out, ctx=ctx)


@drawn
def exponential(
    draw: Draw, scale: Any = 1.0, size: Any = None, ctx: Any = None, out: Any = None
) -> Any:
    """Exponential numbers of mean `scale`.

    >>> bool((mx.np.random.exponential(2.0, size=3) >= 0).all())
    True
    """
    return sample(draw, "_npi_exponential", {"scale": scale}, size, out, ctx=ctx)


@drawn
def rayleigh(
    draw: Draw, scale: Any = 1.0, size: Any = None, ctx: Any = None, out: Any = None
) -> Any:
    """Lengths of vectors of two normal numbers with standard deviation `scale`.

    >>> mx.np.random.rayleigh(size=2).shape
    (2,)
    """
    return sample(draw, "_npi_rayleigh", {"scale": scale}, size, out, ctx=ctx)


@drawn
def weibull(draw: Draw, a: Any, size: Any = None, ctx: Any = None, out: Any = None) -> Any:
    """Numbers of Weibull's distribution with shape parameter `a` and scale 1.

    >>> mx.np.random.weibull(2.0, size=2).shape
    (2,)
    """
    return sample(draw, "_npi_weibull", {"a": a}, size, out, ctx=ctx)


@drawn
def pareto(draw: Draw, a: Any, size: Any = None, ctx: Any = None, out: Any = None) -> Any:
    """Numbers of the Pareto II (Lomax) distribution with shape parameter `a`.

    >>> mx.np.random.pareto(2.0, size=2).shape
    (2,)
    """
    return sample(draw, "_npi_pareto", {"a": a}, size, out, ctx=ctx)


@drawn
def power(draw: Draw, a: Any, size: Any = None) -> Any:
    """Numbers in [0, 1] of density ``a * x ** (a - 1)``.

    >>> mx.np.random.power(2.0, size=2).shape
    (2,)
    """
    return sample(draw, "_npi_powerd", {"a": a}, size)


@drawn
def gamma(
    draw: Draw,
    shape: Any,
    scale: Any = 1.0,
    size: Any = None,
    dtype: Any = None,
    ctx: Any = None,
    out: Any = None,
) -> Any:
    """Numbers of the gamma distribution.

    >>> mx.np.random.gamma(2.0, size=3).shape
    (3,)
    """
    given = {"shape": shape, "scale": scale}
    return sample(draw, "_npi_gamma", given, size, out, dtype=dtype, ctx=ctx)


@drawn
def beta(draw: Draw, a: Any, b: Any, size: Any = None, dtype: Any = None, ctx: Any = None) -> Any:
    """Numbers in [0, 1] of the beta distribution, computed in float64.

    >>> mx.np.random.beta(2.0, 3.0, size=3).shape
    (3,)
    """
    if size is None and is_number(a) and is_number(b):
        size = ()
    x = gamma(draw, a, 1.0, size, "float64", ctx)
    y = gamma(draw, b, 1.0, size, "float64", ctx)
    return (x / (x + y)).astype(dtype or "float32")


@drawn
def chisquare(draw: Draw, df: Any, size: Any = None, dtype: Any = None, ctx: Any = None) -> Any:
    """Sums of `df` squared normal numbers.

    >>> mx.np.random.chisquare(3.0, size=2).shape
    (2,)
    """
    return gamma(draw, df / 2, 2.0, size, dtype, ctx)


@drawn
def randint(
    draw: Draw,
    low: int,
    high: int | None = None,
    size: Any = None,
    dtype: Any = None,
    ctx: Any = None,
    out: Any = None,
) -> Any:
    """Integers (int64 by default) in [low, high); with one number, in [0, low).

    >>> int(mx.np.random.randint(3, 4))
    3
    """
    if high is None:
        low, high = 0, low
    size = () if size is None else _size(size)
    return draw("_npi_random_randint", out=out, low=low, high=high, shape=size,
                dtype=dtype or "int64", ctx=ctx)  # fmt: skip


@drawn
def rand(draw: Draw, *size: int, **kwargs: Any) -> Any:
    """Numbers uniform in [0, 1), of the shape given as arguments.

    >>> mx.np.random.rand(2, 3).shape
    (2, 3)
    """
    return uniform(draw, size=size, **kwargs)


@drawn
def randn(draw: Draw, *size: int, **kwargs: Any) -> Any:
    """Standard normal numbers, of the shape given as arguments.

    >>> mx.np.random.randn(2, 3).shape
    (2, 3)
    """
    return normal(draw, 0.0, 1.0, size=size, **kwargs)


@drawn
def choice(
    draw: Draw,
    a: Any,
    size: Any = None,
    replace: bool = True,
    p: Any = None,
    ctx: Any = None,
    out: Any = None,
) -> Any:
    """Elements of a vector, or of range(a), drawn with or without replacement.

    p : probabilities of the elements (default: equal).

    >>> int(mx.np.random.choice(1))
    0
    """
    inputs = [x for x in (a, p) if is_tensor(x)]
    attrs = {"replace": replace, "weighted": p is not None, "a": None if is_tensor(a) else a}
    picked = draw("_npi_choice", *inputs, out=None if is_tensor(a) else out, size=_size(size),
                  ctx=ctx, **attrs)  # fmt: skip
    return call("_npi_take", a, picked, out=out, axis=0) if is_tensor(a) else picked


@drawn
def multinomial(draw: Draw, n: int, pvals: Any, size: Any = None, **kwargs: Any) -> Any:
    """How often each outcome of probabilities `pvals` comes in `n` trials (int64).

    >>> mx.np.random.multinomial(5, [1.0, 0.0])
    array([5, 0], dtype=int64)
    """
    if kwargs:
        raise TypeError(f"multinomial: unexpected argument {next(iter(kwargs))!r}")
    if is_tensor(pvals):
        return draw("_npi_multinomial", pvals, n=n, size=_size(size))
    return draw("_npi_multinomial", n=n, pvals=tuple(float(p) for p in pvals), size=_size(size))


@drawn
def multivariate_normal(
    draw: Draw, mean: Any, cov: Any, size: Any = None, check_valid: Any = None, tol: Any = None
) -> Any:
    """Normal vectors of a mean and a covariance matrix, which must be positive definite.

    >>> mx.np.random.multivariate_normal(mx.np.zeros(2), mx.np.eye(2), size=3).shape
    (3, 2)
    """
    if check_valid is not None or tol is not None:
        raise NotImplementedError("multivariate_normal: check_valid and tol are not supported")
    require_tensors("multivariate_normal", mean, cov)
    batch = np.broadcast_shapes(mean.shape[:-1], cov.shape[:-2])
    shape = (*(_size(size) or ()), *batch, mean.shape[-1])
    unit = normal(draw, 0.0, 1.0, (*shape, 1), mean.dtype)
    turned = call("_npi_matmul", call("_npi_cholesky", cov), unit)
    return mean + call("_np_squeeze", turned, axis=-1)


def shuffle(x: Any) -> None:
    """Put the rows of an array in random order, in place.

    >>> x = mx.np.arange(3)
    >>> mx.np.random.shuffle(x)
    >>> sorted(x.tolist())
    [0.0, 1.0, 2.0]
    """
    call("_npi_shuffle", x, out=x)
