"""NumPy in CuPy's clothes, as far as launches of kernels need it; new memory is poisoned."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
from cuda_emulator import RawKernel, RawModule


class Array(np.ndarray):
    """An array whose memory kernels may be given."""

    @property
    def data(self) -> SimpleNamespace:
        """CuPy's pointer object."""
        return SimpleNamespace(ptr=self.ctypes.data)


def on_device(value: Any) -> Any:
    """Arrays, also of sequences, as the stand-in's."""
    if isinstance(value, np.ndarray):
        return value.view(Array)
    return type(value)(map(on_device, value)) if isinstance(value, (tuple, list)) else value


class Module:
    """The module ``xp`` of bodies and kernels."""

    RawModule, RawKernel = RawModule, RawKernel

    def __getattr__(self, name: str) -> Any:
        found = getattr(np, name)
        if not callable(found) or isinstance(found, type):
            return found
        return lambda *args, **kwargs: on_device(found(*args, **kwargs))

    @staticmethod
    def empty(shape: Any, dtype: Any = float) -> Any:
        """Memory full of 0xff: NaN in every float type, so that what is not written shows."""
        made = np.empty(shape, dtype)
        made.reshape(-1).view(np.uint8)[:] = 0xFF
        return made.view(Array)


xp = Module()
