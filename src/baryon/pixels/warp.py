"""Images turned and sheared, and images in the colour space HLS."""

from __future__ import annotations

import numpy as np

from ..base import MXNetError
from ._cv import opencv, whole_rows


def warp_affine(
    pixels: np.ndarray, matrix: np.ndarray, size: tuple[int, int], interp: int, fill: float
) -> np.ndarray:
    """An 8-bit image under an affine map.

    matrix : 2 by 3; takes a pixel's (x, y, 1) to its new place.    size : new width and height.
    interp : OpenCV's number.    fill : of pixels that come from outside the image.
    """
    cv2 = opencv()
    if cv2 is None:
        return _warp(pixels, matrix, size, fill)
    made = cv2.warpAffine(
        whole_rows(pixels),
        matrix,
        size,
        flags=interp,
        borderMode=cv2.BORDER_CONSTANT,
        borderValue=(fill,) * 4,
    )
    return made.reshape(size[1], size[0], pixels.shape[2])


def _warp(pixels: np.ndarray, matrix: np.ndarray, size: tuple[int, int], fill: float) -> np.ndarray:
    """`warp_affine` in NumPy, bilinear."""
    back = np.linalg.inv(np.vstack([matrix, [0, 0, 1]]))[:2]
    grid = np.meshgrid(np.arange(size[0]), np.arange(size[1]))
    x, y = np.tensordot(back[:, :2], grid, axes=1) + back[:, 2][:, None, None]
    framed = np.pad(pixels.astype(np.float32), ((1, 1), (1, 1), (0, 0)), constant_values=fill)
    x = np.clip(x + 1, 0, framed.shape[1] - 1.001)
    y = np.clip(y + 1, 0, framed.shape[0] - 1.001)
    left, top = x.astype(int), y.astype(int)
    u, v = (x - left)[..., None], (y - top)[..., None]
    upper = framed[top, left] * (1 - u) + framed[top, left + 1] * u
    lower = framed[top + 1, left] * (1 - u) + framed[top + 1, left + 1] * u
    return np.rint(upper * (1 - v) + lower * v).astype(pixels.dtype)


def to_hls(pixels: np.ndarray) -> np.ndarray:
    """An 8-bit RGB image as hue (0 to 179), lightness and saturation (0 to 255)."""
    cv2 = opencv()
    if cv2 is None:
        raise MXNetError("changes of hue, saturation and lightness need OpenCV")
    return cv2.cvtColor(whole_rows(pixels), cv2.COLOR_RGB2HLS)


def from_hls(pixels: np.ndarray) -> np.ndarray:
    """The 8-bit RGB image of `to_hls`."""
    cv2 = opencv()
    if cv2 is None:
        raise MXNetError("changes of hue, saturation and lightness need OpenCV")
    return cv2.cvtColor(pixels, cv2.COLOR_HLS2RGB)
