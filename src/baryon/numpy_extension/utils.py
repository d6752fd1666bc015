"""Files of arrays of the NumPy interface."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import Any

from ..ndarray import load as _load
from ..ndarray import save as _save
from ..ndarray.np_ndarray import ndarray

__all__ = ["load", "save"]


def save(file: str | os.PathLike, arr: ndarray | Sequence[ndarray] | Mapping[str, ndarray]) -> None:
    """Write an array, a list of arrays or a dict from names to arrays, in MXNet's format.

    >>> import tempfile, os
    >>> path = os.path.join(tempfile.mkdtemp(), "weights.params")
    >>> mx.npx.save(path, {"w": mx.np.array(1.5)})
    >>> mx.npx.load(path)
    {'w': array(1.5)}
    """
    values: Any = [arr] if isinstance(arr, ndarray) else arr
    listed = values.values() if isinstance(values, Mapping) else values
    if not isinstance(values, (Mapping, list, tuple)) or not all(
        isinstance(x, ndarray) for x in listed
    ):
        raise ValueError(
            "data needs to either be a ndarray, dict of (str, ndarray) pairs or a list of ndarrays."
        )
    _save(file, values)


def load(file: str | os.PathLike) -> list[ndarray] | dict[str, ndarray]:
    """Read arrays that `save`, `mx.nd.save` or MXNet wrote: a dict where they have names."""
    found = _load(file)
    if isinstance(found, dict):
        return {name: x.as_np_ndarray() for name, x in found.items()}
    return [x.as_np_ndarray() for x in found]
