"""Optimizer state files: pickles, of MXNet's or ours, read without running what they name.

A state file is a pickle of ``{index: state}`` or of ``(states, optimizer)``. `loads` admits arrays,
optimizers, learning rate schedulers and plain Python values; a file that names anything else is
refused before the named thing is looked up.
"""

from __future__ import annotations

import io
import pickle
import sys
from functools import partial
from typing import Any

import numpy as np

from ..base import MXNetError
from ..lr_scheduler import LRScheduler
from ..ndarray import NDArray
from ..ndarray.sparse import CSRNDArray, RowSparseNDArray
from .base import Optimizer

_PACKAGES = ("baryon", "mxnet")
_BUILTINS = ("builtins", "__builtin__")
_NUMPY_CORE = ("numpy._core.multiarray", "numpy.core.multiarray")


def _encode(text: str, encoding: str) -> bytes:
    """How pickle protocol 2 writes bytes."""
    if encoding != "latin1":
        raise pickle.UnpicklingError(f"state file encodes bytes as {encoding!r}")
    return text.encode("latin1")


class _DType:
    """Stands in for ``numpy.dtype``, whose ``__setstate__`` trusts what it is given."""

    def __init__(self, code: str, *_: Any) -> None:
        self.dtype = np.dtype(str(code))
        if self.dtype.kind not in "biuf":
            raise pickle.UnpicklingError(f"a state file may not hold scalars of dtype {code}")

    def __setstate__(self, state: tuple) -> None:
        self.dtype = self.dtype.newbyteorder(state[1])


def _scalar(dtype: _DType, data: bytes) -> np.generic:
    """A NumPy scalar, such as a learning rate may be."""
    return np.frombuffer(data, dtype.dtype, count=1)[0]


def _reconstruct(kind: type, base: type, _: None) -> Any:
    """How pickle protocols 0 and 1 make an object before its state arrives."""
    if not issubclass(kind, NDArray | Optimizer | LRScheduler) or base is not object:
        raise pickle.UnpicklingError(f"a state file may not make a {kind.__name__}")
    return kind.__new__(kind)


def _blank(_: None = None, kind: type = NDArray) -> NDArray:
    """An array before its pickled state arrives: MXNet's pickles call ``NDArray(None)``."""
    return kind.__new__(kind)


_ARRAYS = {k.__name__: k for k in (NDArray, CSRNDArray, RowSparseNDArray)} | {"ndarray": NDArray}


_PLAIN: dict[tuple[str, str], Any] = {
    **{(module, "bytearray"): bytearray for module in _BUILTINS},
    **{(module, "object"): object for module in _BUILTINS},
    **{(module, "_reconstructor"): _reconstruct for module in ("copyreg", "copy_reg")},
    ("_codecs", "encode"): _encode,
    ("numpy", "dtype"): _DType,
    **{(module, "scalar"): _scalar for module in _NUMPY_CORE},
}


class _Unpickler(pickle.Unpickler):
    """Finds only the classes that a state file needs."""

    def find_class(self, module: str, name: str) -> Any:
        if (module, name) in _PLAIN:
            return _PLAIN[module, name]
        found = self._of_package(module, name) or _registered(module, name)
        if found is None:
            raise pickle.UnpicklingError(f"a state file may not name {module}.{name}")
        return found

    @staticmethod
    def _of_package(module: str, name: str) -> Any:
        """Our class for a name of MXNet's or ours."""
        package, _, rest = module.partition(".")
        if package not in _PACKAGES:
            return None
        if rest.startswith(("ndarray", "numpy")) and name in _ARRAYS:
            kind = _ARRAYS[name]
            return kind if package == "baryon" else partial(_blank, kind=kind)
        if rest.startswith("optimizer"):
            return Optimizer.opt_registry.get(name.lower())
        if rest == "lr_scheduler":
            return next((c for c in _subclasses(LRScheduler) if c.__name__ == name), None)
        return None


def _subclasses(base: type) -> list[type]:
    """A class and all that derive from it, so far."""
    return [base, *(c for child in base.__subclasses__() for c in _subclasses(child))]


def _registered(module: str, name: str) -> type | None:
    """A user's optimizer or scheduler, where the program has already defined it."""
    found = getattr(sys.modules.get(module), name, None)
    if isinstance(found, type) and issubclass(found, Optimizer | LRScheduler):
        return found
    return None


def _check_arrays(value: Any) -> None:
    """Refuse arrays that the file names but never fills."""
    if isinstance(value, NDArray) and not hasattr(value, "_data"):
        raise pickle.UnpicklingError("an array has no content")
    if isinstance(value, dict):
        value = value.values()
    elif not isinstance(value, list | tuple):
        return
    for each in value:
        _check_arrays(each)


def loads(data: bytes) -> Any:
    """What a state file holds; MXNetError for one that is broken or names other classes.

    >>> import pickle
    >>> mx.optimizer.states.loads(pickle.dumps({0: None}))
    {0: None}
    """
    try:
        found = _Unpickler(io.BytesIO(data)).load()
        _check_arrays(found)
        return found
    except MXNetError:
        raise
    except Exception as error:  # a damaged pickle raises nearly anything
        raise MXNetError(
            f"optimizer states cannot be read ({type(error).__name__}: {error})"
        ) from error
