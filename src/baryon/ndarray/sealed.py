"""Arrays that tell whether somebody may have written to them since they were read last.

What a program makes of its weights (packed, transformed) can be kept between calls only as long as
nobody writes to them, and there are many ways to write. So the rule is the other way round: an
array whose memory nobody else can reach is *sealed* under a stamp, and the first one who asks for
its memory, whatever for, breaks the seal. A stamp is never given twice.
"""

from __future__ import annotations

import itertools
import threading
from collections.abc import Sequence
from typing import Any

import numpy as np

from ..native import native
from .ndarray import NDArray
from .np_ndarray import ndarray

_memory = NDArray.__dict__["_data"]  # where an array keeps its memory, or (memory, stamp)
_stamps = itertools.count(1)
_lock = threading.Lock()


class _Sealed:
    """What a sealed array does without breaking its seal; all else goes through `_data`."""

    __slots__ = ()
    _dense_class: type

    @property
    def _data(self) -> np.ndarray:
        with _lock:
            self._break(peek(self))
            return _memory.__get__(self)

    @_data.setter
    def _data(self, data: Any) -> None:
        with _lock:
            self._break(data)

    def _break(self, data: Any) -> None:
        _memory.__set__(self, data)  # first: other threads may look at what they find
        if isinstance(self, _Sealed):
            self.__class__ = self._dense_class

    @property
    def shape(self) -> tuple[int, ...]:
        """Sizes of the dimensions."""
        return peek(self).shape

    @property
    def ndim(self) -> int:
        """Number of dimensions."""
        return peek(self).ndim

    @property
    def size(self) -> int:
        """Number of elements."""
        return peek(self).size

    @property
    def dtype(self) -> Any:
        """The element type."""
        return peek(self).dtype.type

    def asnumpy(self) -> np.ndarray:
        """A numpy copy of the values."""
        return peek(self).copy()

    def wait_to_read(self) -> None:
        """Nothing: the values are there."""

    def __reduce_ex__(self, protocol: Any) -> Any:
        """What pickle stores: an ordinary array."""
        self._data  # noqa: B018 (breaks the seal)
        return self.__reduce_ex__(protocol)


class SealedNDArray(_Sealed, NDArray):
    """A sealed NDArray."""

    __slots__ = ()
    _dense_class = NDArray


class Sealedndarray(_Sealed, ndarray):
    """A sealed ``mx.np.ndarray``."""

    __slots__ = ()
    _dense_class = ndarray

    @property
    def dtype(self) -> np.dtype:
        """The element type, as NumPy's dtype."""
        return peek(self).dtype


_CLASSES: dict[type, type] = {NDArray: SealedNDArray, ndarray: Sealedndarray}
for _plain, _class in _CLASSES.items():  # what users see
    _class.__name__, _class.__qualname__ = _plain.__name__, _plain.__qualname__


def peek(x: Any) -> Any:
    """The memory of an array, to look at while nobody else runs; a seal stays whole."""
    if not isinstance(x, _Sealed):
        return x._data
    held = _memory.__get__(x)
    return held[0] if type(held) is tuple else held


def read(inputs: Sequence[Any], kept: Sequence[int]) -> tuple[list[Any], list[int]]:
    """Memory of the inputs of a program that is about to read them, and stamps of those `kept`.

    A stamp of zero: there is none, for somebody else, perhaps the caller, holds that memory. Seals
    at other places are broken.
    """
    stamps, places = [_stamp(inputs[i]) for i in kept], {*kept}
    return [peek(x) if i in places else x._data for i, x in enumerate(inputs)], stamps


def _stamp(x: Any) -> int:
    """The stamp under which an array is sealed, now if that is possible."""
    if isinstance(x, _Sealed):
        held = _memory.__get__(x)
        if type(held) is tuple:
            return held[1]
    sealed = _CLASSES.get(type(x))
    if sealed is None:
        return 0
    stamp = next(_stamps)
    x.__class__ = sealed
    if native.seal(x, stamp, 1):  # of the array itself
        return stamp
    x.__class__ = sealed._dense_class
    return 0
