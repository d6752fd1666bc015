"""OpenCV, where it is installed."""

from __future__ import annotations

import functools
import os
from types import ModuleType

import numpy as np

_ALONE: list[bool] = []  # not empty in processes that are many already


@functools.cache
def opencv() -> ModuleType | None:
    """The module ``cv2``, or None."""
    try:
        import cv2
    except ImportError:
        return None
    # OpenCV's pool would wait, in a forked child, for threads that did not come along.
    os.register_at_fork(after_in_child=lambda: cv2.setNumThreads(0))
    if _ALONE:
        cv2.setNumThreads(0)
    return cv2


def use_one_thread() -> None:
    """Let OpenCV work in its caller's thread alone, now or once it is imported."""
    _ALONE.append(True)
    if opencv.cache_info().currsize and (cv2 := opencv()):
        cv2.setNumThreads(0)


def whole_rows(pixels: np.ndarray) -> np.ndarray:
    """The same pixels, copied only where OpenCV could not read them in place, row by row."""
    inner = (pixels.shape[2] * pixels.itemsize, pixels.itemsize)
    in_place = pixels.strides[1:] == inner and pixels.strides[0] >= pixels.shape[1] * inner[0]
    return pixels if in_place else np.ascontiguousarray(pixels)
