"""From 8-bit pixels to the values of a batch."""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from .. import ndarray as nd
from ..base import MXNetError


@dataclass(frozen=True)
class Normalization:
    """Settings, named and set by default as MXNet's; a deviation of 0 counts as 1."""

    mirror: bool = False
    rand_mirror: bool = False
    mean_img: str = ""
    mean_r: float = 0.0
    mean_g: float = 0.0
    mean_b: float = 0.0
    mean_a: float = 0.0
    std_r: float = 1.0
    std_g: float = 1.0
    std_b: float = 1.0
    std_a: float = 1.0
    scale: float = 1.0
    max_random_contrast: float = 0.0
    max_random_illumination: float = 0.0

    def unused(self, dtype: str) -> list[str]:
        """Arguments that were given but change nothing in data of a dtype."""
        if dtype == "float32":
            return []
        used = {"mirror", "rand_mirror"}
        if dtype == "int8":
            used |= {"mean_img", "mean_r", "mean_g", "mean_b", "mean_a"}
        fields = self.__dataclass_fields__.values()
        return [f.name for f in fields if f.name not in used and getattr(self, f.name) != f.default]

    def means(self, channels: int) -> np.ndarray:
        """Mean of each channel, (c, 1, 1)."""
        values = (self.mean_r, self.mean_g, self.mean_b, self.mean_a)[:channels]
        return np.array(values, np.float32)[:, None, None]

    def factors(self, channels: int) -> np.ndarray:
        """What each channel is multiplied by, (c, 1, 1)."""
        values = np.array((self.std_r, self.std_g, self.std_b, self.std_a)[:channels])
        return (self.scale / np.where(values == 0, 1, values)).astype(np.float32)[:, None, None]

    def write(
        self, pixels: np.ndarray, out: np.ndarray, mean: np.ndarray, rng: np.random.Generator
    ) -> None:
        """Write an image (h, w, c) into a batch's (c, h, w)."""
        if self.mirror or (self.rand_mirror and rng.random() < 0.5):
            pixels = pixels[:, ::-1]
        planes = pixels.transpose(2, 0, 1)
        if out.dtype == np.uint8:
            out[...] = planes
        elif out.dtype == np.int8:
            out[...] = np.clip(np.rint(planes - mean), -128, 127)
        else:
            np.subtract(planes, mean, out=out)
            if self.max_random_contrast or self.max_random_illumination:
                contrast, light = self.max_random_contrast, self.max_random_illumination
                out *= 1 + rng.uniform(-contrast, contrast)
                out += rng.uniform(-light, light)
            factors = self.factors(len(out))
            if (factors != 1).any():
                out *= factors


def mean_image(path: str | os.PathLike, shape: tuple[int, ...], images: Iterable) -> np.ndarray:
    """The mean image (c, h, w) in a file, which is made from ``images`` where it is missing."""
    if not os.path.exists(path):
        total, count = np.zeros(shape, np.float64), 0
        for image in images:
            total += image.transpose(2, 0, 1)
            count += 1
        nd.save(os.fspath(path), {"mean_img": nd.array(total / max(count, 1))})
    found = nd.load(os.fspath(path))
    mean = found.get("mean_img") if isinstance(found, dict) else None
    if mean is None or mean.shape != shape:
        got = "none" if mean is None else f"shape {mean.shape}"
        raise MXNetError(f"mean_img: {path} must hold an array 'mean_img' of {shape}, got {got}")
    return mean.asnumpy().astype(np.float32)
