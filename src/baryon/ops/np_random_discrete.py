"""Random samplers of the NumPy interface whose values are discrete: coins, choices, counts."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod
from typing import Any

import numpy as np

from ..base import MXNetError
from . import sampling
from .attrs import Attrs, DType, Floats, Shape
from .device import fixed
from .np_random import drawn_shape
from .op import op
from .rules import attr_dtype, forward
from .samples import constant, normal
from .samples import uniform as spread
from .unary import flat

_CHUNK = 1 << 20  # trials drawn at a time

# ---- bernoulli -----------------------------------------------------------------------------------


@op(
    "_npi_bernoulli",
    present={"input1": lambda a: a.prob is None and a.logit is None},
    shape=forward(drawn_shape),
    dtype=attr_dtype(),
)
def bernoulli(
    xp: Any,
    input1: Any = None,
    *,
    prob: float | None,
    logit: float | None,
    size: Shape | None = None,
    ctx: str = "cpu",
    dtype: DType = "float32",
    is_logit: bool,
    rng: Any,
) -> Any:
    """1 with probability `prob`, else 0; `logit` is the logarithm of the odds instead.

    Either is a number, or an array, of which `is_logit` says what it is.  No gradient flows. (MXNet
    ``mx.npx.random.bernoulli``.) `size` is the shape of the result, `dtype` its type.

    >>> mx.npx.random.bernoulli(prob=1.0, size=(2,)).tolist()
    [1.0, 1.0]
    """
    number = logit if prob is None else prob
    chance = fixed(xp, input1 if number is None else number, xp.float64)
    if logit is not None or is_logit:
        chance = 1 / (1 + xp.exp(-chance))
    elif bool(((chance < 0) | (chance > 1)).any()):
        raise MXNetError("operator _npi_bernoulli: prob must lie between 0 and 1")
    target = drawn_shape(Attrs(size=size), *([] if input1 is None else [input1.shape]))
    return rng.uniform(target, np.float64) < chance


bernoulli.gradient("input1")(flat)
bernoulli.sample(prob=0.3, logit=None, is_logit=False, size=(4, 5))
bernoulli.sample(prob=None, logit=0.5, is_logit=True, size=(4,), dtype="int32")
bernoulli.sample(input1=normal(2, 3), prob=None, logit=None, is_logit=True, dtype="bool")
bernoulli.sample(
    input1=spread(3, low=0.1, high=0.9), prob=None, logit=None, is_logit=False, size=(2, 3)
)

# ---- choice --------------------------------------------------------------------------------------


def _population(attrs: Attrs, shapes: Sequence[tuple[int, ...]]) -> int:
    """How many there are to choose from."""
    if attrs.a is None and (not shapes or len(shapes[0]) != 1):
        raise MXNetError("a must be a number or a vector")
    return shapes[0][0] if attrs.a is None else attrs.a


def _chosen_shape(attrs: Attrs, *shapes: tuple[int, ...]) -> tuple[int, ...]:
    count, wanted = _population(attrs, shapes), prod(attrs.size or ())
    if wanted and (count < 1 or (not attrs.replace and wanted > count)):
        raise MXNetError(f"cannot choose {wanted} out of {count}")
    if attrs.weighted and shapes[-1] != (count,):
        raise MXNetError(f"p must have one entry for each of {count}, got shape {shapes[-1]}")
    return attrs.size or ()


@op(
    "_npi_choice",
    present={
        "input1": lambda a: a.a is None or a.weighted,
        "input2": lambda a: a.a is None and a.weighted,
    },
    shape=forward(_chosen_shape),
    dtype="int64",
)
def choice(
    xp: Any,
    input1: Any = None,
    input2: Any = None,
    *,
    a: int | None,
    size: Shape | None,
    ctx: str = "cpu",
    replace: bool = True,
    weighted: bool = False,
    rng: Any,
) -> Any:
    """Positions chosen at random among `a`, or among the entries of the vector `input1`.

    weighted: whether the last input holds the probability of each. Without `replace` none is chosen
    twice.  (MXNet ``mx.np.random.choice``.) `size` is the shape of the result.

    >>> sorted(mx.np.random.choice(3, (3,), replace=False).tolist())
    [0, 1, 2]
    """
    given = [x for x in (input1, input2) if x is not None]
    count = _population(Attrs(a=a), [x.shape for x in given])
    target, weights = size or (), given[-1].astype(xp.float64) if weighted else None
    if weights is not None and (bool((weights < 0).any()) or not bool(weights.sum() > 0)):
        raise MXNetError("operator _npi_choice: probabilities must not be negative, nor all 0")
    if replace:
        u = rng.uniform(target, np.float64)
        if weights is None:
            return xp.floor(u * count)
        total = xp.cumsum(weights)
        return xp.minimum(xp.searchsorted(total, u * total[-1], side="right"), count - 1)
    keys = sampling.standard_exponential(xp, rng, (count,))
    if weights is not None:  # the first of exponential clocks, Efraimidis and Spirakis 2006
        keys = xp.where(weights > 0, keys / xp.where(weights > 0, weights, 1), np.inf)
    return xp.argsort(keys)[: prod(target)].reshape(target)


for _side in ("input1", "input2"):
    choice.gradient(_side)(flat)
_odds = constant([0.5, 0.2, 0.3])
choice.sample(a=5, size=(3, 4))
choice.sample(a=5, size=None)
choice.sample(a=5, size=(5,), replace=False)
choice.sample(input1=normal(3), a=None, size=(4,), _grad=())
choice.sample(input1=_odds, a=3, size=(20,), weighted=True, _grad=())
choice.sample(
    input1=normal(3), input2=_odds, a=None, size=(2,), weighted=True, replace=False, _grad=()
)

# ---- multinomial ---------------------------------------------------------------------------------


def _counts_shape(attrs: Attrs, *a: tuple[int, ...]) -> tuple[int, ...]:
    if attrs.n < 0:
        raise MXNetError(f"attribute n must not be negative, got {attrs.n}")
    if attrs.pvals is None and (not a or len(a[0]) != 1):
        raise MXNetError("the probabilities must be a vector")
    return (*(attrs.size or ()), *(a[0] if attrs.pvals is None else (len(attrs.pvals),)))


@op(
    "_npi_multinomial",
    present={"a": lambda attrs: attrs.pvals is None},
    shape=forward(_counts_shape),
    dtype="int64",
)
def multinomial(
    xp: Any,
    a: Any = None,
    *,
    n: int,
    pvals: Floats | None = None,
    size: Shape | None = None,
    rng: Any,
) -> Any:
    """How often each outcome occurs in `n` trials with probabilities `pvals`, or the vector `a`.

    The last probability is what the others leave of 1.  (MXNet ``mx.np.random.multinomial``.) The
    result has the shape `size`, and then an axis of outcomes.

    >>> mx.np.random.multinomial(4, [0.0, 1.0]).tolist()
    [0, 4]
    """
    chances = fixed(xp, pvals if a is None else a, xp.float64)
    if bool((chances < 0).any()) or float(chances.sum()) > 1 + 1e-6:
        raise MXNetError("operator _npi_multinomial: pvals exceed 1 in sum, or one is negative")
    rows, outcomes = prod(size or ()), len(chances)
    limits = xp.cumsum(chances[:-1])
    counts = xp.zeros(rows * outcomes, xp.int64)
    step = max(_CHUNK // max(rows, 1), 1)
    for begin in range(0, n, step):
        u = rng.uniform((rows, min(step, n - begin)), np.float64)
        found = xp.searchsorted(limits, u.reshape(-1), side="right").reshape(u.shape)
        cells = found + outcomes * xp.arange(rows)[:, None]
        counts += xp.bincount(cells.reshape(-1), minlength=rows * outcomes)
    return counts.reshape(*(size or ()), outcomes)


multinomial.gradient("a")(flat)
multinomial.sample(n=10, pvals=(0.2, 0.3, 0.5))
multinomial.sample(n=7, pvals=(0.2, 0.8), size=(2, 3))
multinomial.sample(a=_odds, n=5, size=(4,), _grad=())
