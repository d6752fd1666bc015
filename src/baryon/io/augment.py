"""What `ImageRecordIter` does to an image: 8-bit pixels (h, w, channels) in and out."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from ..base import MXNetError
from ..pixels import add_border, from_hls, resize, to_hls, warp_affine
from ..pixels.colour import EIGENVALUES, EIGENVECTORS, as_bytes, blend, grey


def choose_interpolation(
    method: int, old: tuple[int, int], new: tuple[int, int], rng: np.random.Generator
) -> int:
    """OpenCV's number for a method; 9 chooses by the sizes (h, w), 10 at random."""
    if method == 9:
        if new[0] > old[0] and new[1] > old[1]:
            return 2
        return 3 if new[0] < old[0] and new[1] < old[1] else 1
    return int(rng.integers(5)) if method == 10 else method


@dataclass(frozen=True)
class Augmentation:
    """Settings, named and set by default as MXNet's, in the order in which they act."""

    # sizes
    resize: int = -1
    # turned, sheared and stretched
    max_rotate_angle: int = 0
    rotate: int = -1
    max_shear_ratio: float = 0.0
    max_aspect_ratio: float = 0.0
    min_aspect_ratio: float | None = None
    max_random_scale: float = 1.0
    min_random_scale: float = 1.0
    max_img_size: float = 1e10
    min_img_size: float = 0.0
    # cropped
    pad: int = 0
    fill_value: int = 255
    rand_crop: bool = False
    max_crop_size: int = -1
    min_crop_size: int = -1
    random_resized_crop: bool = False
    max_random_area: float = 1.0
    min_random_area: float = 1.0
    # colours
    brightness: float = 0.0
    contrast: float = 0.0
    saturation: float = 0.0
    pca_noise: float = 0.0
    random_h: int = 0
    random_s: int = 0
    random_l: int = 0
    inter_method: int = 1

    def __post_init__(self) -> None:
        if self.inter_method not in (0, 1, 2, 3, 4, 9, 10):
            raise ValueError(f"inter_method must be 0 to 4, 9 or 10, got {self.inter_method}")
        for low, high in (
            ("min_crop_size", "max_crop_size"),
            ("min_random_scale", "max_random_scale"),
            ("min_random_area", "max_random_area"),
            ("min_img_size", "max_img_size"),
        ):
            if getattr(self, low) > getattr(self, high):
                raise ValueError(f"{low} {getattr(self, low)} exceeds {high} {getattr(self, high)}")
        if self.min_crop_size < 0 < self.max_crop_size:
            raise ValueError(f"max_crop_size {self.max_crop_size} needs min_crop_size too")

    def shape(
        self, pixels: np.ndarray, size: tuple[int, int], rng: np.random.Generator
    ) -> np.ndarray:
        """An image of ``size`` (height, width); the order of its channels does not matter."""
        pixels = self._resized(pixels, rng)
        if self._warps:
            pixels = self._warped(pixels, rng)
        if self.pad > 0:
            pixels = add_border(pixels, (self.pad,) * 4, 0, self.fill_value)
        if self.random_resized_crop:
            return self._resized_crop(pixels, size, rng)
        if self.max_crop_size > 0:
            return self._sized_crop(pixels, size, rng)
        return self._crop(pixels, size, rng)

    def _to(self, pixels: np.ndarray, size: tuple[int, int], rng: np.random.Generator):
        method = choose_interpolation(self.inter_method, pixels.shape[:2], size, rng)
        return resize(pixels, size[1], size[0], method)

    def _resized(self, pixels: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        if self.resize <= 0:
            return pixels
        height, width = pixels.shape[:2]
        if height > width:
            size = (int(height * self.resize / width), self.resize)
        else:
            size = (self.resize, int(width * self.resize / height))
        return self._to(pixels, size, rng)

    # ---- turned, sheared, stretched --------------------------------------------------------------

    @property
    def _warps(self) -> bool:
        stretched = not self.random_resized_crop and (
            self.max_aspect_ratio != 0 or self.max_random_scale != 1 or self.min_random_scale != 1
        )
        limited = self.max_img_size != 1e10 or self.min_img_size != 0
        turned = self.max_rotate_angle > 0 or self.rotate > 0 or self.max_shear_ratio > 0
        return stretched or limited or turned

    def _ratio(self, rng: np.random.Generator) -> float:
        if self.min_aspect_ratio is None:
            return 1 + rng.uniform(-self.max_aspect_ratio, self.max_aspect_ratio)
        return rng.uniform(self.min_aspect_ratio, self.max_aspect_ratio)

    def _warped(self, pixels: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        shear = rng.uniform(-self.max_shear_ratio, self.max_shear_ratio)
        degrees = rng.integers(-self.max_rotate_angle, self.max_rotate_angle, endpoint=True)
        angle = math.radians(self.rotate if self.rotate > 0 else degrees)
        scale, ratio = 1.0, 1.0
        if not self.random_resized_crop:
            scale = rng.uniform(self.min_random_scale, self.max_random_scale)
            ratio = self._ratio(rng)
        cos, sin = math.cos(angle), math.sin(angle)
        high = 2 * scale / (1 + ratio)
        wide = ratio * high
        height, width = pixels.shape[:2]
        new_width, new_height = (
            max(self.min_img_size, min(self.max_img_size, scale * side)) for side in (width, height)
        )
        linear = np.array(
            [
                [high * cos - shear * sin * wide, high * sin + shear * cos * wide],
                [-sin * wide, cos * wide],
            ]
        )
        shift = (np.array([new_width, new_height]) - linear @ [width, height]) / 2
        matrix = np.hstack([linear, shift[:, None]])
        size = (int(new_width), int(new_height))
        method = choose_interpolation(self.inter_method, (height, width), size[::-1], rng)
        return warp_affine(pixels, matrix, size, method, self.fill_value)

    # ---- cropped ---------------------------------------------------------------------------------

    def _crop(
        self, pixels: np.ndarray, size: tuple[int, int], rng: np.random.Generator
    ) -> np.ndarray:
        """A part, from the image enlarged first where it is too small."""
        for axis in (0, 1):
            if pixels.shape[axis] < size[axis]:
                larger = size[axis] / pixels.shape[axis]
                new = [int(larger * side) for side in pixels.shape[:2]]
                new[axis] = size[axis]
                pixels = self._to(pixels, (new[0], new[1]), rng)
        return self._part(pixels, size, self.rand_crop, rng)

    def _sized_crop(
        self, pixels: np.ndarray, size: tuple[int, int], rng: np.random.Generator
    ) -> np.ndarray:
        """A square part of random side, resized."""
        if min(pixels.shape[:2]) < self.max_crop_size:
            raise MXNetError(
                f"an image of {pixels.shape[0]} x {pixels.shape[1]} pixels is smaller than "
                f"max_crop_size {self.max_crop_size}"
            )
        side = int(rng.integers(self.min_crop_size, self.max_crop_size, endpoint=True))
        return self._to(self._part(pixels, (side, side), self.rand_crop, rng), size, rng)

    def _resized_crop(
        self, pixels: np.ndarray, size: tuple[int, int], rng: np.random.Generator
    ) -> np.ndarray:
        """A part of random area and aspect ratio, resized; the middle after 10 vain attempts."""
        height, width = pixels.shape[:2]
        for _ in range(10):
            area = rng.uniform(self.min_random_area, self.max_random_area) * height * width
            ratio = self._ratio(rng)
            w, h = round(math.sqrt(area * ratio)), round(math.sqrt(area / ratio))
            if rng.random() > 0.5:
                w, h = h, w
            if 0 < w <= width and 0 < h <= height:
                return self._to(self._part(pixels, (h, w), True, rng), size, rng)
        return self._crop(pixels, size, rng)

    @staticmethod
    def _part(
        pixels: np.ndarray, size: tuple[int, int], anywhere: bool, rng: np.random.Generator
    ) -> np.ndarray:
        spare = [pixels.shape[i] - size[i] for i in (0, 1)]
        y, x = (int(rng.integers(n + 1)) if anywhere else n // 2 for n in spare)
        return pixels[y : y + size[0], x : x + size[1]]

    # ---- colours ---------------------------------------------------------------------------------

    def colour(self, pixels: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """An RGB image in other colours."""
        changes = [
            (self.brightness, lambda p: 0.0),
            (self.contrast, lambda p: grey(p).mean()),
            (self.saturation, grey),
        ]
        wanted = [(amount, other) for amount, other in changes if amount > 0]
        for i in rng.permutation(len(wanted)) if wanted else ():
            amount, other = wanted[i]
            pixels = blend(pixels, other(pixels), 1 + rng.uniform(-amount, amount))
        if self.random_h or self.random_s or self.random_l:
            limits = (self.random_h, self.random_l, self.random_s)
            pixels = shift_hls(pixels, [rng.integers(-n, n, endpoint=True) for n in limits])
        if self.pca_noise > 0 and pixels.shape[2] == 3:
            noise = EIGENVECTORS @ (rng.normal(0, self.pca_noise, 3) * EIGENVALUES)
            pixels = as_bytes(pixels + noise.astype(np.float32))
        return pixels


def shift_hls(pixels: np.ndarray, amounts: list) -> np.ndarray:
    """An image with its hue, lightness and saturation shifted, each within its limits."""
    shifted = to_hls(pixels).astype(np.int16) + np.array(amounts, np.int16)
    return from_hls(np.clip(shifted, 0, (180, 255, 255)).astype(np.uint8))
