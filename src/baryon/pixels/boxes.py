"""Rectangles in images: rows of left, top, right and bottom, in shares of width and height."""

from __future__ import annotations

import numpy as np


def areas(boxes: np.ndarray) -> np.ndarray:
    """Areas of rectangles (n, 4); 0 for those turned inside out."""
    return np.prod(np.maximum(boxes[:, 2:4] - boxes[:, :2], 0), axis=1)


def clipped(boxes: np.ndarray, part: np.ndarray) -> np.ndarray:
    """What of rectangles (n, 4) lies in a part (4,) of the image."""
    return np.clip(boxes, np.tile(part[:2], 2), np.tile(part[2:], 2))


def relative(boxes: np.ndarray, part: np.ndarray) -> np.ndarray:
    """Rectangles (n, 4) in shares of a part (4,), which may reach beyond the image."""
    return (boxes - np.tile(part[:2], 2)) / np.tile(part[2:] - part[:2], 2)
