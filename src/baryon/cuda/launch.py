"""Sources of kernels, their compiled forms, and launches on the current stream."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from threading import local
from typing import Any

import numpy as np

from ..dtypes import bfloat16

_SOURCES = os.path.join(os.path.dirname(__file__), "sources")
OPTIONS = ("-std=c++17",)
TYPES = {
    np.dtype(np.float16): "Half",
    np.dtype(bfloat16): "BFloat16",
    np.dtype(np.float32): "float",
    np.dtype(np.float64): "double",
    np.dtype(np.int8): "signed char",
    np.dtype(np.uint8): "unsigned char",
    np.dtype(np.int32): "int",
    np.dtype(np.int64): "Index",
}
_MOVED = {n: np.dtype(t) for n, t in ((1, np.int8), (2, np.float16), (4, np.int32), (8, np.int64))}
FLOATS = frozenset(map(np.dtype, (np.float16, bfloat16, np.float32, np.float64)))
_INCLUDE = re.compile(r'^#include "(\w+\.cuh)"$', re.MULTILINE)
_MOST_BLOCKS = 132 * 32  # of loops over elements; more only wait

_thread = local()


def own_source(family: str, **settings: Any) -> str:
    """A family's source after its settings: dtypes name C++ types, integers constants."""
    lines = (
        f"typedef {TYPES[value]} {name};"
        if isinstance(value, np.dtype)
        else f"constexpr int {name} = {int(value)};"
        for name, value in settings.items()
    )
    return "\n".join((*lines, _text(f"{family}.cu")))


def _text(name: str) -> str:
    """A file of the sources with the files that it includes: NVRTC looks for none."""
    text = file_text(name)
    return _INCLUDE.sub(lambda found: _text(found[1]), text)


def file_text(name: str) -> str:
    """The text of a file of the sources."""
    with open(os.path.join(_SOURCES, name), encoding="utf-8") as file:
        return file.read()


def common_source() -> str:
    """What all families build on."""
    return file_text("common.cuh")


@cache
def _kernels(xp: Any, family: str, settings: tuple[tuple[str, Any], ...]) -> dict[str, Any]:
    code = common_source() + own_source(family, **dict(settings))
    return {"": xp.RawModule(code=code, options=OPTIONS)}


def kernel_of(xp: Any, family: str, name: str, **settings: Any) -> Any:
    """A kernel of a family, compiled once for these `settings` (see `own_source`)."""
    found = _kernels(xp, family, tuple(settings.items()))
    if name not in found:
        found[name] = found[""].get_function(name)
    return found[name]


def launch(kernel: Any, grid: int | Sequence[int], block: int | Sequence[int], *args: Any) -> None:
    """Queue a kernel on the current stream. Arguments are arrays and NumPy scalars (None: null)."""
    grid = (grid,) if isinstance(grid, int) else tuple(grid)
    block = (block,) if isinstance(block, int) else tuple(block)
    kernel(grid, block, args)


def blocks(count: int, each: int = 256) -> int:
    """Blocks of `each` threads for a loop over `count` elements that strides by all threads."""
    return max(1, min(-(-count // each), _MOST_BLOCKS))


def width(*arrays: Any, along: int, most: int = 16) -> int:
    """How many neighbours one access may take of each array, whose rows are `along` long.

    A power of two of at most `most` bytes of the widest type, so that all accesses are aligned.
    """
    count = most // max(a.dtype.itemsize for a in arrays)
    aligned = all(a.data.ptr % (a.dtype.itemsize * count) == 0 for a in arrays)
    while count > 1 and (along % count or not aligned):
        count //= 2
        aligned = all(a.data.ptr % (a.dtype.itemsize * count) == 0 for a in arrays)
    return count


def raw(array: Any) -> Any:
    """The same memory in a type that kernels can move, whatever it is; None if there is none."""
    kind = _MOVED.get(array.dtype.itemsize)
    return None if kind is None else array if array.dtype == kind else array.view(kind)


def dense(xp: Any, array: Any) -> Any:
    """The array in C order; None stays None."""
    return None if array is None else xp.ascontiguousarray(array)


# ---- where results go ----------------------------------------------------------------------------


@contextmanager
def destinations(arrays: Sequence[Any]) -> Iterator[None]:
    """Let the kernel that runs inside write its outputs into these arrays, in their order.

    What fits (shape, dtype, C order) it returns itself; other outputs are new arrays.
    """
    before = getattr(_thread, "destinations", None)
    _thread.destinations = iter(arrays)
    try:
        yield
    finally:
        _thread.destinations = before


def output(xp: Any, shape: Sequence[int], dtype: Any) -> Any:
    """Memory for the next output of the running kernel, uninitialised."""
    given = next(getattr(_thread, "destinations", None) or iter(()), None)
    fits = given is not None and given.shape == tuple(shape) and given.dtype == dtype
    return given if fits and given.flags.c_contiguous else xp.empty(tuple(shape), dtype)
