"""Images of another size: by OpenCV where it is installed, else by `resample`, more slowly."""

from __future__ import annotations

import numpy as np

from ..base import MXNetError
from ._cv import opencv, whole_rows
from .resample import resample

INTERPOLATIONS = {
    0: "nearest",
    1: "bilinear",
    2: "bicubic",
    3: "area",
    4: "Lanczos",
    5: "bilinear, exact",
}
"""Interpolations by OpenCV's numbers."""

RESIZABLE = ("uint8", "float32", "float64")


def resize(pixels: np.ndarray, width: int, height: int, interp: int = 1) -> np.ndarray:
    """An image (h, w, channels) of uint8, float32 or float64 as (height, width, channels)."""
    if pixels.ndim != 3 or not pixels.size:
        raise MXNetError(f"imresize: expected an image (h, w, channels), got shape {pixels.shape}")
    if width < 1 or height < 1:
        raise MXNetError(f"imresize: w and h must be at least 1, got {width} and {height}")
    if interp not in INTERPOLATIONS:
        choices = ", ".join(f"{k} ({v})" for k, v in INTERPOLATIONS.items())
        raise MXNetError(f"imresize: interp must be one of {choices}, got {interp}")
    if pixels.dtype.name not in RESIZABLE:
        raise MXNetError(f"imresize: dtype must be one of {RESIZABLE}, got {pixels.dtype}")
    if pixels.shape[:2] == (height, width):
        return pixels.copy()
    cv2 = opencv()
    if cv2 is None:
        return resample(np, pixels, (height, width), interp)
    made = cv2.resize(whole_rows(pixels), (width, height), interpolation=interp)
    return made.reshape(height, width, pixels.shape[2])
