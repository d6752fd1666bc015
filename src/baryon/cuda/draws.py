"""Random numbers on a GPU: one kernel draws what the CPU draws for the same seed."""

from __future__ import annotations

from math import prod
from typing import Any

import numpy as np

from ..ops.philox import Philox
from .launch import blocks, kernel_of, launch


class Generator(Philox):
    """`Philox` whose numbers a kernel draws."""

    def _draw(self, name: str, shape: tuple[int, ...], dtype: Any, *more: Any) -> Any:
        """Values of `shape`, for each of which a kernel takes a word for each 4 bytes."""
        count, dtype = prod(shape), np.dtype(dtype)
        out = self._xp.empty(shape, dtype)
        generator, advance = self.drawn_by_kernel(count * dtype.itemsize // 4)
        if count:
            real = dtype if dtype.kind == "f" else np.dtype(np.float32)
            run = kernel_of(self._xp, "random", name, T=real)
            each = 16 // dtype.itemsize
            args = out, generator, advance, np.int64(count), *more
            launch(run, blocks(-(-count // each)), 256, *args)
        return out

    def bits(self, shape: tuple[int, ...]) -> Any:
        """See `Philox`."""
        return self._draw("draw_words", shape, np.uint32)

    def uniform(self, shape: tuple[int, ...], dtype: Any = "float32") -> Any:
        """See `Philox`."""
        wide = np.float64 if np.dtype(dtype) == np.float64 else np.float32
        return self._draw("draw", shape, wide, np.int32(0))

    def normal(self, shape: tuple[int, ...], dtype: Any = "float32") -> Any:
        """See `Philox`."""
        wide = np.float64 if np.dtype(dtype) == np.float64 else np.float32
        return self._draw("draw", shape, wide, np.int32(1))
