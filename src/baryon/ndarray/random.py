"""Random NDArrays. `mx.random` has the same functions, and `seed`.

Each distribution takes numbers (one distribution, the result has `shape`) or NDArrays of one
shape (a distribution an element, the result has their shape followed by `shape`).
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ..base import MXNetError
from ..namespaces import _Null
from ..ops.op import get
from ..samplers import SAMPLERS, sampler
from .invoke import invoke
from .ndarray import NDArray

__all__ = [*SAMPLERS, "multinomial", "randint", "randn", "shuffle"]


def _draw(name: str, inputs: list, raw: dict[str, Any], out: Any) -> NDArray:
    return invoke(get(name), inputs, raw, out, NDArray)


uniform = sampler("uniform", _draw, NDArray)
normal = sampler("normal", _draw, NDArray)
poisson = sampler("poisson", _draw, NDArray)
exponential = sampler("exponential", _draw, NDArray)
gamma = sampler("gamma", _draw, NDArray)
negative_binomial = sampler("negative_binomial", _draw, NDArray)
generalized_negative_binomial = sampler("generalized_negative_binomial", _draw, NDArray)
randint = sampler("randint", _draw, NDArray)


def randn(*shape: int, **kwargs: Any) -> NDArray:
    """Normal values of a shape; keywords as in `normal`.

    >>> mx.nd.random.randn(2, 3, loc=5, scale=0.5).shape
    (2, 3)
    """
    return normal(shape=shape or (1,), **kwargs)


def multinomial(
    data: NDArray,
    shape: Any = _Null,
    get_prob: bool = False,
    out: Any = None,
    dtype: Any = "int32",
    **kwargs: Any,
) -> Any:
    """Draw category numbers from the probabilities in the last axis of `data`.

    shape    : draws for each distribution, appended to its leading shape (default: one).
    get_prob : also return the log likelihood of each draw, which is differentiable.

    >>> mx.nd.random.multinomial(mx.nd.array([0, 1]), shape=2).asnumpy()
    array([1, 1], dtype=int32)
    """
    raw = {"get_prob": get_prob, "dtype": np.dtype(dtype).name, **kwargs}
    if shape is not _Null and shape is not None:
        raw["shape"] = shape
    return invoke(get("_sample_multinomial"), (data,), raw, out)


def shuffle(data: NDArray, **kwargs: Any) -> NDArray:
    """The rows of an array in random order, the values inside each row unchanged.

    >>> sorted(mx.nd.random.shuffle(mx.nd.arange(3)).asnumpy().tolist())
    [0.0, 1.0, 2.0]
    """
    out = kwargs.pop("out", None)
    if kwargs.keys() - {"name"}:
        raise MXNetError(f"shuffle: unknown arguments {', '.join(kwargs)}")
    return invoke(get("_shuffle"), (data,), {}, out)
