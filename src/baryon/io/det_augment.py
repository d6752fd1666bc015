"""What `ImageDetRecordIter` does to an image and the objects in it.

Objects are rows (n, width) of class, left, top, right, bottom (shares of the image) and whatever
more. The sampling of parts is that of SSD (Liu et al. 2016).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from ..pixels import add_border, resize
from ..pixels.boxes import areas, clipped, relative
from ..pixels.colour import as_bytes
from .augment import choose_interpolation, shift_hls

Pair = tuple[np.ndarray, np.ndarray]
_RANGES = (
    "crop_scales",
    "crop_aspect_ratios",
    "crop_overlaps",
    "crop_sample_coverages",
    "crop_object_coverages",
)


@dataclass(frozen=True)
class DetAugmentation:
    """Settings, named and set by default as MXNet's; `apply` goes through them from the top."""

    resize: int = -1
    max_random_hue: int = 0
    random_hue_prob: float = 0.0
    max_random_saturation: int = 0
    random_saturation_prob: float = 0.0
    max_random_illumination: int = 0
    random_illumination_prob: float = 0.0
    max_random_contrast: float = 0.0
    random_contrast_prob: float = 0.0
    rand_mirror_prob: float = 0.0
    rand_pad_prob: float = 0.0
    max_pad_scale: float = 1.0
    rand_crop_prob: float = 0.0
    num_crop_sampler: int = 1
    min_crop_scales: tuple[float, ...] = (0.0,)
    max_crop_scales: tuple[float, ...] = (1.0,)
    min_crop_aspect_ratios: tuple[float, ...] = (1.0,)
    max_crop_aspect_ratios: tuple[float, ...] = (1.0,)
    min_crop_overlaps: tuple[float, ...] = (0.0,)
    max_crop_overlaps: tuple[float, ...] = (1.0,)
    min_crop_sample_coverages: tuple[float, ...] = (0.0,)
    max_crop_sample_coverages: tuple[float, ...] = (1.0,)
    min_crop_object_coverages: tuple[float, ...] = (0.0,)
    max_crop_object_coverages: tuple[float, ...] = (1.0,)
    max_crop_trials: tuple[int, ...] = (25,)
    crop_emit_mode: str = "center"
    emit_overlap_thresh: float = 0.3
    resize_mode: str = "force"
    fill_value: int = 127
    inter_method: int = 1

    def __post_init__(self) -> None:
        if self.inter_method not in (0, 1, 2, 3, 4, 9, 10):
            raise ValueError(f"inter_method must be 0 to 4, 9 or 10, got {self.inter_method}")
        for name, choices in (
            ("crop_emit_mode", ("center", "overlap")),
            ("resize_mode", ("force", "fit", "shrink")),
        ):
            if getattr(self, name) not in choices:
                raise ValueError(f"{name} must be one of {choices}, got {getattr(self, name)!r}")
        for name in [f"{end}_{r}" for r in _RANGES for end in ("min", "max")] + ["max_crop_trials"]:
            if len(getattr(self, name)) not in (1, self.num_crop_sampler):
                raise ValueError(
                    f"{name} must have 1 value or num_crop_sampler ({self.num_crop_sampler}), "
                    f"got {getattr(self, name)}"
                )

    def apply(self, pixels: np.ndarray, objects: np.ndarray, size: tuple[int, int], rng) -> Pair:
        """The image, at most ``size`` (height, width), and its objects."""
        if self.resize > 0:
            shorter = min(pixels.shape[:2])
            pixels = self._scaled(pixels, self.resize / shorter, rng)
        pixels = self._coloured(pixels, rng)
        if self.rand_mirror_prob > 0 and rng.random() < self.rand_mirror_prob:
            pixels = pixels[:, ::-1]
            objects = objects.copy()
            objects[:, [1, 3]] = 1 - objects[:, [3, 1]]
        if self.rand_pad_prob > 0 and rng.random() < self.rand_pad_prob:
            pixels, objects = self._padded(pixels, objects, rng)
        if self.rand_crop_prob > 0 and rng.random() < self.rand_crop_prob:
            pixels, objects = self._cropped(pixels, objects, rng)
        return self._fitted(pixels, size, rng), objects

    # ---- colours and sizes -----------------------------------------------------------------------

    def _coloured(self, pixels: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        shifts = [
            rng.integers(-most, most, endpoint=True) if most and rng.random() < chance else 0
            for most, chance in (
                (self.max_random_hue, self.random_hue_prob),
                (self.max_random_illumination, self.random_illumination_prob),
                (self.max_random_saturation, self.random_saturation_prob),
            )
        ]
        if any(shifts) and pixels.shape[2] == 3:
            pixels = shift_hls(pixels, shifts)
        if self.max_random_contrast and rng.random() < self.random_contrast_prob:
            contrast = 1 + rng.uniform(-self.max_random_contrast, self.max_random_contrast)
            pixels = as_bytes(pixels * np.float32(contrast))
        return pixels

    def _scaled(self, pixels: np.ndarray, factor: float, rng: np.random.Generator) -> np.ndarray:
        height, width = (max(int(side * factor + 1e-6), 1) for side in pixels.shape[:2])
        return self._to(pixels, (height, width), rng)

    def _to(self, pixels: np.ndarray, size: tuple[int, int], rng: np.random.Generator):
        method = choose_interpolation(self.inter_method, pixels.shape[:2], size, rng)
        return resize(pixels, size[1], size[0], method)

    def _fitted(self, pixels: np.ndarray, size: tuple[int, int], rng: np.random.Generator):
        if self.resize_mode == "force":
            return self._to(pixels, size, rng)
        factor = min(size[0] / pixels.shape[0], size[1] / pixels.shape[1])
        if self.resize_mode == "shrink" and factor >= 1:
            return pixels
        return self._scaled(pixels, factor, rng)

    # ---- larger images and parts -----------------------------------------------------------------

    def _padded(self, pixels: np.ndarray, objects: np.ndarray, rng: np.random.Generator) -> Pair:
        """The image at a random place in a larger one."""
        height, width = pixels.shape[:2]
        scale = rng.uniform(1, max(self.max_pad_scale, 1))
        new_height, new_width = int(height * scale), int(width * scale)
        top, left = (int(rng.integers(n + 1)) for n in (new_height - height, new_width - width))
        borders = (top, new_height - height - top, left, new_width - width - left)
        box = (
            -left / width,
            -top / height,
            (new_width - left) / width,
            (new_height - top) / height,
        )
        return add_border(pixels, borders, 0, self.fill_value), _within(objects, np.array(box))

    def _cropped(self, pixels: np.ndarray, objects: np.ndarray, rng: np.random.Generator) -> Pair:
        """A part that one of the samplers finds good, tried in random order; else the image."""
        height, width = pixels.shape[:2]
        for sampler in rng.permutation(self.num_crop_sampler):
            limits = [
                (self._of(f"min_{r}", sampler), self._of(f"max_{r}", sampler)) for r in _RANGES
            ]
            for _ in range(int(self._of("max_crop_trials", sampler))):
                box = _random_box(*limits[:2], width / height, rng)
                if not _satisfies(objects, box, limits[2:]):
                    continue
                kept = self._emitted(objects, box)
                if len(kept):
                    left, top, right, bottom = np.rint(box * np.tile((width, height), 2)).astype(
                        int
                    )
                    if right > left and bottom > top:
                        return pixels[top:bottom, left:right], kept
        return pixels, objects

    def _of(self, name: str, sampler: int) -> float:
        values = getattr(self, name)
        return values[sampler if len(values) > 1 else 0]

    def _emitted(self, objects: np.ndarray, box: np.ndarray) -> np.ndarray:
        """The objects that belong to a part, cut to it."""
        sides = objects[:, 1:5]
        if self.crop_emit_mode == "center":
            centres = (sides[:, :2] + sides[:, 2:]) / 2
            kept = ((centres >= box[:2]) & (centres <= box[2:])).all(axis=1)
        else:
            shares = areas(clipped(sides, box)) / np.maximum(areas(sides), 1e-12)
            kept = shares > self.emit_overlap_thresh
        made = _within(objects[kept], box)
        made[:, 1:5] = np.clip(made[:, 1:5], 0, 1)
        return made


def _random_box(
    scales: tuple[float, float], ratios: tuple[float, float], shape: float, rng
) -> np.ndarray:
    """A random part, as shares; ``shape`` is the image's width / height."""
    scale = max(rng.uniform(*scales), 1e-3)
    low = max(ratios[0] / shape, scale * scale)
    high = min(ratios[1] / shape, 1 / (scale * scale))
    root = math.sqrt(rng.uniform(low, max(low, high)))
    width, height = min(1.0, scale * root), min(1.0, scale / root)
    left, top = rng.uniform(0, 1 - width), rng.uniform(0, 1 - height)
    return np.array([left, top, left + width, top + height])


def _satisfies(objects: np.ndarray, box: np.ndarray, limits: list[tuple[float, float]]) -> bool:
    """Whether some object overlaps a part within the limits of overlap and of both coverages."""
    if all(limit == (0, 1) for limit in limits):
        return True
    shared = areas(clipped(objects[:, 1:5], box))
    whole, part = areas(objects[:, 1:5]), areas(box[None])
    measures = shared / (whole + part - shared), shared / part, shared / np.maximum(whole, 1e-12)
    good = np.ones(len(objects), bool)
    for measure, (low, high) in zip(measures, limits, strict=True):
        good &= (measure >= low) & (measure <= high)
    return bool(good.any())


def _within(objects: np.ndarray, part: np.ndarray) -> np.ndarray:
    """Objects as shares of a part (or of a larger image)."""
    made = objects.copy()
    made[:, 1:5] = relative(objects[:, 1:5], part)
    return made
