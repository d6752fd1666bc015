"""Random numbers on a GPU: one kernel draws what the CPU draws for the same seed."""

from __future__ import annotations

from math import prod
from typing import Any

import numpy as np

from ..ops.philox import Philox
from ..ops.sampling import ROUNDS
from .launch import blocks, dense, kernel_of, launch


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

    def _rejecting(self, name: str, parameter: Any) -> Any:
        """A value for each parameter; the rounds of all that may be needed are used up."""
        parameter = dense(self._xp, parameter.astype(np.float64))
        count, out = parameter.size, self._xp.empty(parameter.shape, np.float64)
        each = -(-count // 2)
        generator, advance = self.drawn_by_kernel(each * (1 + 2 * ROUNDS) * 4)
        if count:
            run = kernel_of(self._xp, "random", name, T=np.dtype(np.float64))
            numbers = np.int64(count), np.int64(each), np.int32(ROUNDS)
            launch(run, blocks(count), 256, parameter, out, generator, advance, *numbers)
        return out

    def gamma(self, alpha: Any) -> Any:
        """See `Philox`."""
        return self._rejecting("draw_gamma", alpha)

    def poisson(self, lam: Any) -> Any:
        """See `Philox`."""
        return self._rejecting("draw_poisson", lam)
