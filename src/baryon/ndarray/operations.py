"""Functions of NDArrays that are more than one operator: numbers on either side, helpers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from .. import backend
from ..base import MXNetError
from ..operands import binary_functions
from ..ops.op import get
from .invoke import invoke
from .ndarray import NDArray

_BINARY = binary_functions(invoke, NDArray)

add = _BINARY["add"]
subtract = _BINARY["subtract"]
multiply = _BINARY["multiply"]
divide = true_divide = _BINARY["divide"]
modulo = _BINARY["modulo"]
maximum = _BINARY["maximum"]
minimum = _BINARY["minimum"]
equal = _BINARY["equal"]
not_equal = _BINARY["not_equal"]
greater = _BINARY["greater"]
greater_equal = _BINARY["greater_equal"]
lesser = _BINARY["lesser"]
lesser_equal = _BINARY["lesser_equal"]
logical_and = _BINARY["logical_and"]
logical_or = _BINARY["logical_or"]
logical_xor = _BINARY["logical_xor"]


def power(base: Any, exp: Any) -> Any:
    """`base` to the power `exp`, element by element with broadcasting; one may be a number.

    >>> mx.nd.power(mx.nd.array([2.0, 3.0]), exp=2).asnumpy()
    array([4., 9.], dtype=float32)
    """
    return _BINARY["power"](base, exp)


def concatenate(arrays: Sequence[NDArray], axis: int = 0, always_copy: bool = True) -> NDArray:
    """Join arrays along an axis; a single one is returned as it is unless `always_copy`.

    >>> mx.nd.concatenate([mx.nd.ones(2), mx.nd.zeros(1)]).asnumpy()
    array([1., 1., 0.], dtype=float32)
    """
    arrays = list(arrays)
    if not arrays:
        raise ValueError("concatenate needs at least one array")
    if len(arrays) == 1 and not always_copy:
        return arrays[0]
    return invoke(get("Concat"), arrays, {"dim": axis})


def moveaxis(tensor: NDArray, source: Any, destination: Any) -> NDArray:
    """Move axes to new positions; the others keep their order.

    >>> mx.nd.moveaxis(mx.nd.zeros((2, 3, 4)), 0, -1).shape
    (3, 4, 2)
    """
    ndim = tensor.ndim
    source, destination = (_axes(a, ndim) for a in (source, destination))
    if len(source) != len(destination):
        raise ValueError("`source` and `destination` must have the same number of axes")
    order = [a for a in range(ndim) if a not in source]
    for at, axis in sorted(zip(destination, source, strict=True)):
        order.insert(at, axis)
    return invoke(get("transpose"), (tensor,), {"axes": tuple(order)})


def _axes(axes: Any, ndim: int) -> list[int]:
    axes = [axes] if isinstance(axes, int) else list(axes)
    if any(not -ndim <= a < ndim for a in axes):
        raise ValueError(f"axes {axes} do not fit an array of {ndim} dimensions")
    wrapped = [a % ndim for a in axes]
    if len(set(wrapped)) != len(wrapped):
        raise ValueError(f"repeated axis in {axes}")
    return wrapped


def onehot_encode(indices: NDArray, out: NDArray) -> NDArray:
    """Write one row per index into `out`, 1 at the index and 0 elsewhere; `out`.

    >>> mx.nd.onehot_encode(mx.nd.array([1, 0]), mx.nd.zeros((2, 2))).asnumpy()
    array([[0., 1.],
           [1., 0.]], dtype=float32)
    """
    if out.ndim != 2 or indices.shape != out.shape[:1]:
        raise MXNetError(
            f"onehot_encode: indices {indices.shape} and out {out.shape} do not fit each other"
        )
    xp = backend.of_array(out._data).xp
    out._data[...] = indices._data.astype(np.int64)[:, None] == xp.arange(out.shape[1])
    return out


def histogram(a: NDArray, bins: Any = 10, range: tuple | None = None) -> tuple[NDArray, NDArray]:
    """Counts of the values in bins, and the edges of the bins.

    bins : their number, over `range` or the extent of the values, which is waited for; or an
    NDArray of edges. Counts are int64, over the extent of the values float32, as in MXNet.

    >>> counts, edges = mx.nd.histogram(mx.nd.array([0, 1, 1, 3]), bins=3, range=(0, 3))
    >>> counts.asnumpy()
    array([1, 2, 1])
    """
    if isinstance(bins, NDArray):
        return tuple(invoke(get("_histogram"), (a, bins), {}))
    if range is not None:
        return tuple(invoke(get("_histogram"), (a,), {"bin_cnt": bins, "range": range}))
    values = a.astype("float64")
    low, high = (values.min().item(), values.max().item()) if a.size else (0.0, 1.0)
    extent = (low, high) if low != high else (low - 0.5, high + 0.5)
    found = invoke(get("_histogram"), (values,), {"bin_cnt": bins, "range": extent})
    return tuple(x.astype("float32") for x in found)


def split_v2(
    ary: NDArray, indices_or_sections: Any, axis: int = 0, squeeze_axis: bool = False
) -> Any:
    """Cut an array along an axis: into equal sections (int) or before the given indices.

    >>> [p.shape for p in mx.nd.split_v2(mx.nd.zeros((5, 2)), (1, 4))]
    [(1, 2), (3, 2), (1, 2)]
    """
    raw: dict[str, Any] = {"axis": axis, "squeeze_axis": squeeze_axis, "indices": ()}
    if isinstance(indices_or_sections, int):
        if ary.shape[axis] % indices_or_sections:
            raise ValueError("array split does not result in an equal division")
        raw["sections"] = indices_or_sections
    elif isinstance(indices_or_sections, (tuple, list, set)):
        raw["indices"] = (0, *indices_or_sections)
    else:
        raise ValueError("indices_or_sections must be either int or tuple / list / set of ints")
    return invoke(get("_split_v2"), (ary,), raw)


def waitall() -> None:
    """Wait until all queued work on all devices is done; errors of devices surface here.

    >>> x = mx.nd.ones((2,)) + 1
    >>> mx.nd.waitall()
    """
    import sys

    cuda = sys.modules.get(backend.__name__ + ".cuda")
    if cuda is not None:
        cuda.synchronize()


def to_dlpack_for_read(data: NDArray) -> Any:
    """A DLPack capsule of an array, to be read only."""
    return data.to_dlpack_for_read()


def to_dlpack_for_write(data: NDArray) -> Any:
    """A DLPack capsule of an array, whose memory the receiver may change."""
    return data.to_dlpack_for_write()


__all__ = [
    *(_BINARY.keys() - {"hypot"}),
    "concatenate",
    "histogram",
    "moveaxis",
    "onehot_encode",
    "split_v2",
    "to_dlpack_for_read",
    "to_dlpack_for_write",
    "true_divide",
    "waitall",
]
