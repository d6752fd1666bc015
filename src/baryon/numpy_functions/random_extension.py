"""Random numbers that ``mx.npx.random`` adds to those of ``mx.np.random``."""

from __future__ import annotations

from typing import Any

from .call import Draw, drawn
from .random import sample

__all__ = ["bernoulli", "normal_n", "uniform_n"]


@drawn
def bernoulli(
    draw: Draw,
    prob: Any = None,
    logit: Any = None,
    size: Any = None,
    dtype: Any = None,
    ctx: Any = None,
    out: Any = None,
) -> Any:
    """1 with probability `prob`, or with the probability whose log-odds are `logit`, else 0.

    >>> mx.npx.random.bernoulli(1.0, size=2)
    array([1., 1.])
    """
    if (prob is None) == (logit is None):
        raise ValueError("Either `prob` or `logit` must be specified, but not both.")
    attrs = {"is_logit": logit is not None, "dtype": dtype, "ctx": ctx}
    if logit is None:
        return sample(draw, "_npi_bernoulli", {"prob": prob}, size, out, logit=None, **attrs)
    return sample(draw, "_npi_bernoulli", {"logit": logit}, size, out, prob=None, **attrs)


@drawn
def uniform_n(
    draw: Draw,
    low: Any = 0.0,
    high: Any = 1.0,
    batch_shape: Any = None,
    dtype: Any = None,
    ctx: Any = None,
) -> Any:
    """Like `uniform`, of shape `batch_shape` followed by that of the parameters.

    >>> mx.npx.random.uniform_n(mx.np.zeros(2), 1.0, batch_shape=(3,)).shape
    (3, 2)
    """
    given = {"low": low, "high": high}
    return sample(draw, "_npi_uniform_n", given, batch_shape, dtype=dtype, ctx=ctx)


@drawn
def normal_n(
    draw: Draw,
    loc: Any = 0.0,
    scale: Any = 1.0,
    batch_shape: Any = None,
    dtype: Any = None,
    ctx: Any = None,
) -> Any:
    """Like `normal`, of shape `batch_shape` followed by that of the parameters.

    >>> mx.npx.random.normal_n(mx.np.zeros(2), 1.0, batch_shape=(3,)).shape
    (3, 2)
    """
    given = {"loc": loc, "scale": scale}
    return sample(draw, "_npi_normal_n", given, batch_shape, dtype=dtype, ctx=ctx)
