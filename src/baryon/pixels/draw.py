"""Rectangles drawn into images, and images shown; both by OpenCV."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from ..base import MXNetError
from ._cv import opencv


def _needed() -> Any:
    cv2 = opencv()
    if cv2 is None:
        raise MXNetError("drawing needs OpenCV: pip install baryon[image]")
    return cv2


def draw_boxes(
    pixels: np.ndarray,
    boxes: Iterable[tuple[float, float, float, float, str]],
    color: Sequence[int] | None,
    thickness: int,
) -> None:
    """Draw rectangles (left, top, right, bottom in shares of the image, and a name) into an image.

    color : for the channels in their order; None draws one at random for each rectangle.
    """
    cv2 = _needed()
    height, width = pixels.shape[:2]
    for left, top, right, bottom, name in boxes:
        start, stop = (
            (int(left * width), int(top * height)),
            (int(right * width), int(bottom * height)),
        )
        ink = np.random.randint(0, 256, 3).tolist() if color is None else tuple(color)
        cv2.rectangle(pixels, start, stop, ink, thickness)
        if name:
            where = (start[0] + 5, start[1] + 20)
            cv2.putText(pixels, name, where, cv2.FONT_HERSHEY_SIMPLEX, 0.5, ink)


def show(pixels: np.ndarray, window: str, milliseconds: int) -> None:
    """Show an image in a window; MXNetError where OpenCV was built without windows."""
    cv2 = _needed()
    try:
        cv2.imshow(window, pixels)
        cv2.waitKey(milliseconds)
    except cv2.error as error:
        raise MXNetError(f"this OpenCV cannot show windows: {error}") from error
