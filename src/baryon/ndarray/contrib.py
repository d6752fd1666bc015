"""Contributed functions of arrays (`mx.nd.contrib`): those that are more than one operator."""

from __future__ import annotations

from .. import backend
from .contrib_updates import *  # noqa: F403
from .control_flow import cond, foreach, rand_zipfian, while_loop  # noqa: F401
from .ndarray import NDArray
from .random import uniform  # noqa: F401 - MXNet has it here, too


def _tested(name: str, data: NDArray) -> NDArray:
    test = getattr(backend.of_array(data._data).xp, name)
    return data._like(test(data._data).astype(data._data.dtype))


def isfinite(data: NDArray) -> NDArray:
    """1 where a value is finite, 0 where it is infinite or no number.

    >>> mx.nd.contrib.isfinite(mx.nd.array([1, np.inf, np.nan])).asnumpy()
    array([1., 0., 0.], dtype=float32)
    """
    return _tested("isfinite", data)


def isinf(data: NDArray) -> NDArray:
    """1 where a value is infinite, 0 elsewhere.

    >>> mx.nd.contrib.isinf(mx.nd.array([1, np.inf, np.nan])).asnumpy()
    array([0., 1., 0.], dtype=float32)
    """
    return _tested("isinf", data)


def isnan(data: NDArray) -> NDArray:
    """1 where a value is not a number, 0 elsewhere.

    >>> mx.nd.contrib.isnan(mx.nd.array([1, np.inf, np.nan])).asnumpy()
    array([0., 0., 1.], dtype=float32)
    """
    return _tested("isnan", data)
