"""Contributed functions of arrays (`mx.nd.contrib`): those that are more than one operator."""

from __future__ import annotations

from .. import backend
from ..base import MXNetError
from ..ops.op import get
from .control_flow import cond, foreach, rand_zipfian, while_loop  # noqa: F401
from .invoke import invoke
from .ndarray import NDArray


def boolean_mask(data: NDArray, index: NDArray, axis: int = 0) -> NDArray:
    """The slices of `data` along `axis` where `index` is not zero; differentiable in `data`.

    >>> x = mx.nd.array([[1, 2], [3, 4], [5, 6]])
    >>> mx.nd.contrib.boolean_mask(x, mx.nd.array([0, 1, 0])).asnumpy()
    array([[3., 4.]], dtype=float32)
    """
    if index.ndim != 1 or index.shape[0] != data.shape[axis]:
        raise MXNetError(
            f"boolean_mask: index has shape {index.shape}, expected ({data.shape[axis]},)"
        )
    (rows,) = index._data.nonzero()
    if not rows.size:
        kept = list(data.shape)
        kept[axis] = 0
        return data._like(backend.of_array(data._data).xp.zeros(tuple(kept), data._data.dtype))
    return invoke(get("take"), (data, data._like(rows)), {"axis": axis, "mode": "clip"})


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
