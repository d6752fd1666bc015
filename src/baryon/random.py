"""Random numbers: `seed`, and the distributions of `mx.nd.random`.

The numbers depend on the seed and on how many draws came before, and on nothing else: not on the
device, the number of threads, or whether the drawing code is compiled.
"""

from __future__ import annotations

from typing import Any

from . import streams
from .base import MXNetError
from .context import Context
from .ndarray.random import (
    exponential,
    gamma,
    generalized_negative_binomial,
    multinomial,
    negative_binomial,
    normal,
    poisson,
    randint,
    randn,
    shuffle,
    uniform,
)
from .streams import reserve

__all__ = [
    "exponential",
    "gamma",
    "generalized_negative_binomial",
    "multinomial",
    "negative_binomial",
    "normal",
    "poisson",
    "randint",
    "randn",
    "reserve",
    "seed",
    "shuffle",
    "uniform",
]


def seed(seed_state: int, ctx: Any = "all") -> None:
    """Start the random stream afresh from an integer.

    ctx : accepted for compatibility; one stream serves all devices.

    >>> mx.random.seed(7); a = mx.nd.random.uniform(shape=3)
    >>> mx.random.seed(7); b = mx.nd.random.uniform(shape=3)
    >>> bool((a == b).min())
    True
    """
    try:
        value = seed_state.__index__()
    except AttributeError:
        if not isinstance(seed_state, float) or not seed_state.is_integer():
            raise ValueError(f"seed_state must be an integer, got {seed_state!r}") from None
        value = int(seed_state)
    if ctx != "all" and not isinstance(ctx, Context):
        raise MXNetError(f"seed: ctx must be a Context or 'all', got {ctx!r}")
    streams.seed(value)
