"""OpenCV, where it is installed."""

from __future__ import annotations

import functools
import os
from types import ModuleType


@functools.cache
def opencv() -> ModuleType | None:
    """The module ``cv2``, or None."""
    try:
        import cv2
    except ImportError:
        return None
    # OpenCV's pool would wait, in a forked child, for threads that did not come along.
    os.register_at_fork(after_in_child=lambda: cv2.setNumThreads(0))
    return cv2
