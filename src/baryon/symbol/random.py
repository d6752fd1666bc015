"""Random symbols: each run of an executor draws anew from the stream that `mx.random.seed` starts.

Each distribution takes numbers (one distribution, the result has `shape`) or Symbols of one shape
(a distribution an element, the result has their shape followed by `shape`).
"""

from __future__ import annotations

from typing import Any

from ..namespaces import _Null
from ..ops.op import get
from ..samplers import SAMPLERS, sampler
from ._symbol import Symbol, compose

__all__ = [*SAMPLERS, "multinomial", "randn", "shuffle"]


def _draw(name: str, inputs: list, raw: dict[str, Any], out: Any) -> Symbol:
    if out is not None:
        raise TypeError(f"{name}: a symbol has no out")
    return compose(get(name), inputs, raw)


uniform = sampler("uniform", _draw, Symbol)
normal = sampler("normal", _draw, Symbol)
poisson = sampler("poisson", _draw, Symbol)
exponential = sampler("exponential", _draw, Symbol)
gamma = sampler("gamma", _draw, Symbol)
negative_binomial = sampler("negative_binomial", _draw, Symbol)
generalized_negative_binomial = sampler("generalized_negative_binomial", _draw, Symbol)
randint = sampler("randint", _draw, Symbol)


def randn(*shape: int, **kwargs: Any) -> Symbol:
    """Normal values of a shape; keywords as in `normal`.

    >>> mx.sym.random.randn(2, 3).eval()[0].shape
    (2, 3)
    """
    return normal(shape=shape or (1,), **kwargs)


def multinomial(
    data: Symbol,
    shape: Any = _Null,
    get_prob: bool = True,
    dtype: Any = "int32",
    **kwargs: Any,
) -> Symbol:
    """Draw category numbers from the probabilities in the last axis of `data`.

    shape    : draws for each distribution, appended to its leading shape (default: one).
    get_prob : also return the log likelihood of each draw, which is differentiable.
    """
    name = kwargs.pop("name", None)
    raw = {"get_prob": get_prob, "dtype": dtype, **kwargs}
    if shape is not _Null:
        raw["shape"] = shape
    return compose(get("_sample_multinomial"), (data,), raw, name)


def shuffle(data: Symbol, **kwargs: Any) -> Symbol:
    """`data` with its first axis in random order."""
    return compose(get("_shuffle"), (data,), {}, kwargs.pop("name", None))
