"""Transforms of images: NDArrays of height, width and channels (``…vision.transforms``)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from .... import ndarray as nd
from ....base import MXNetError
from ....ndarray import NDArray
from ...block import Block
from ...nn import Sequential

__all__ = [
    "Cast",
    "Compose",
    "Normalize",
    "RandomFlipLeftRight",
    "RandomFlipTopBottom",
    "Resize",
    "ToTensor",
]


class Compose(Sequential):
    """Transforms applied one after the other.

    >>> T = mx.gluon.data.vision.transforms
    >>> T.Compose([T.ToTensor(), T.Normalize(0.5, 0.5)])(mx.nd.zeros((4, 5, 3))).shape
    (3, 4, 5)
    """

    def __init__(self, transforms: Sequence[Any]) -> None:
        super().__init__()
        self.add(*transforms)


class Cast(Block):
    """To another dtype."""

    def __init__(self, dtype: str = "float32") -> None:
        super().__init__()
        self._dtype = dtype

    def forward(self, x: NDArray) -> NDArray:
        """The transformed image."""
        return nd.cast(x, dtype=self._dtype)


class ToTensor(Block):
    """Images (h, w, c) or (n, h, w, c) of 0..255 to float32 (c, h, w) or (n, c, h, w) of 0..1."""

    def forward(self, x: NDArray) -> NDArray:
        """The transformed image."""
        if x.ndim not in (3, 4):
            raise MXNetError(f"ToTensor needs (h, w, c) or (n, h, w, c), got shape {x.shape}")
        axes = (2, 0, 1) if x.ndim == 3 else (0, 3, 1, 2)
        return nd.transpose(nd.cast(x, dtype="float32") / 255.0, axes=axes)


class Normalize(Block):
    """``(x - mean) / std`` for each channel of (c, h, w) or (n, c, h, w); numbers serve all."""

    def __init__(
        self, mean: float | Sequence[float] = 0.0, std: float | Sequence[float] = 1.0
    ) -> None:
        super().__init__()
        self._mean = _by_channel(mean)
        self._std = _by_channel(std)

    def forward(self, x: NDArray) -> NDArray:
        """The transformed image."""
        return nd.broadcast_div(nd.broadcast_sub(x, self._mean), self._std)


def _by_channel(values: float | Sequence[float]) -> NDArray:
    return nd.array(np.reshape(np.asarray(values, "float32"), (-1, 1, 1)))


class Resize(Block):
    """Images (h, w, c) to another size, by Pillow.

    Parameters
    ----------
    size : width and height, or one number for both (the shorter side with ``keep_ratio``).
    interpolation : 0 nearest, 1 bilinear, 2 bicubic (as Pillow and OpenCV number them).
    """

    def __init__(
        self, size: int | tuple[int, int], keep_ratio: bool = False, interpolation: int = 1
    ) -> None:
        super().__init__()
        self._size = size
        self._keep = keep_ratio
        if interpolation not in (0, 1, 2):
            raise ValueError(f"interpolation must be 0, 1 or 2, got {interpolation}")
        self._interpolation = interpolation

    def _target(self, height: int, width: int) -> tuple[int, int]:
        if not isinstance(self._size, int):
            return self._size
        if not self._keep:
            return self._size, self._size
        short = min(height, width)
        return width * self._size // short, height * self._size // short

    def forward(self, x: NDArray) -> NDArray:
        """The transformed image."""
        try:
            from PIL import Image
        except ImportError as error:
            raise MXNetError("Resize needs Pillow: pip install pillow") from error
        if x.ndim != 3:
            raise MXNetError(f"Resize needs an image (h, w, c), got shape {x.shape}")
        pixels = x.asnumpy()
        method = (Image.NEAREST, Image.BILINEAR, Image.BICUBIC)[self._interpolation]
        target = self._target(*pixels.shape[:2])
        kind = "L" if pixels.dtype == np.uint8 else "F"
        planes = [
            Image.fromarray(np.ascontiguousarray(pixels[..., c]), kind).resize(target, method)
            for c in range(pixels.shape[2])
        ]
        return nd.array(np.stack([np.asarray(p) for p in planes], axis=-1), dtype=x.dtype)


class _RandomFlip(Block):
    """Reverses an axis of (h, w, c) images for half of the calls."""

    axis: int

    def forward(self, x: NDArray) -> NDArray:
        return nd.flip(x, axis=self.axis) if np.random.random() < 0.5 else x


class RandomFlipLeftRight(_RandomFlip):
    """Mirror the image left to right, half of the times (NumPy's global random state)."""

    axis = 1


class RandomFlipTopBottom(_RandomFlip):
    """Turn the image upside down, half of the times (NumPy's global random state)."""

    axis = 0
