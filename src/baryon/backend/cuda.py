"""NVIDIA GPUs: CuPy arrays. Imported only once a GPU is used; needs CuPy and a driver."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..base import MXNetError
from ..context import load_cupy, num_gpus

xp = load_cupy()


def _device(device_id: int) -> Any:
    count = num_gpus()
    if not 0 <= device_id < count:
        raise MXNetError(f"gpu({device_id}) does not exist; {count} GPUs are usable")
    return xp.cuda.Device(device_id)


def empty(shape: tuple[int, ...], dtype: Any, device_id: int = 0) -> Any:
    """Uninitialised memory on a GPU."""
    with _device(device_id):
        return xp.empty(shape, dtype)


def full(shape: tuple[int, ...], value: Any, dtype: Any, device_id: int = 0) -> Any:
    """An array filled with one value."""
    with _device(device_id):
        return xp.full(shape, value, dtype)


def asarray(data: Any, device_id: int = 0) -> Any:
    """A C-contiguous copy of host or device `data` on a GPU."""
    with _device(device_id):
        return xp.array(data, order="C")


def to_numpy(data: Any) -> np.ndarray:
    """A copy in host memory; waits for the work that computes `data`."""
    return xp.asnumpy(data, order="C")


def context_of(data: Any) -> tuple[str, int]:
    """Kind and number of the device that holds an array."""
    return "gpu", data.device.id


def synchronize() -> None:
    """Wait until all work queued on every GPU is done."""
    for device_id in range(num_gpus()):
        xp.cuda.Device(device_id).synchronize()
