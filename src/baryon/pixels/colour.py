"""Colours: the constants of augmentation, and changes of 8-bit RGB images."""

from __future__ import annotations

import numpy as np

LUMA = (0.299, 0.587, 0.114)
"""Weights of red, green and blue in brightness (BT.601)."""
EIGENVALUES = np.array([55.46, 4.794, 1.148])
"""Sizes of the principal components of ImageNet's colours (Krizhevsky et al. 2012)."""
EIGENVECTORS = np.array(
    [[-0.5675, 0.7192, 0.4009], [-0.5808, -0.0045, -0.8140], [-0.5836, -0.6948, 0.4203]]
)
"""Their directions, a column each."""
MEAN = np.array([123.68, 116.28, 103.53])
"""Mean of ImageNet's channels."""
STD = np.array([58.395, 57.12, 57.375])
"""Standard deviation of ImageNet's channels."""


def as_bytes(values: np.ndarray) -> np.ndarray:
    """Values rounded and cut to 0..255."""
    return np.clip(np.rint(values), 0, 255).astype(np.uint8)


def grey(pixels: np.ndarray) -> np.ndarray:
    """Brightness of each pixel, (h, w, 1)."""
    if pixels.shape[2] < 3:
        return pixels[:, :, :1].astype(np.float32)
    return (pixels[:, :, :3] @ np.array(LUMA, np.float32))[:, :, None]


def blend(pixels: np.ndarray, other: np.ndarray | float, share: float) -> np.ndarray:
    """``share`` of an image and the rest of another."""
    return as_bytes(pixels * np.float32(share) + other * np.float32(1 - share))
