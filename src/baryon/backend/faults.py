"""What kernels find wrong while they run, told when somebody waits for them.

A kernel cannot raise an error, and to look for one after each launch would be to wait. So it writes
to a word of page-locked memory, which the host reads whenever it has waited for a GPU anyway.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np

_COUNT = 1024  # kinds of calls that are told apart
_sites: dict[tuple[Any, ...], int] = {}
_makers: list[Callable[[int], Exception] | None] = [None] * _COUNT


@cache
def _words() -> np.ndarray:
    """A word for each kind of call: 0, or what a kernel found."""
    import cupyx

    made = cupyx.empty_pinned(_COUNT, np.int64)
    made[:] = 0
    return made


def address(kind: tuple[Any, ...], error: Callable[[int], Exception]) -> int:
    """Where kernels of this kind of call write a number that is not 0 if they find a fault.

    error : makes the exception from the number.
    """
    site = _sites.get(kind)
    if site is None:
        site = _sites[kind] = len(_sites) % _COUNT
        _makers[site] = error
    return _words().ctypes.data + 8 * site


def raise_found() -> None:
    """Raise what kernels found since the last time; to be called after waiting for them."""
    if not _sites or not _words().any():
        return
    words = _words()
    site = int(np.flatnonzero(words)[0])
    found, make = int(words[site]), _makers[site]
    words[:] = 0
    if make is not None:
        raise make(found)
