"""Transforms of images: NDArrays of height, width and channels (``…vision.transforms``).

Those that are one operator are HybridBlocks, and draw random numbers from ``mx.random``'s seed;
`CenterCrop`, `RandomResizedCrop` and the rotations are functions of ``mx.image``, which draw from
Python's and NumPy's.
"""

from __future__ import annotations

# MXNet has these here, too.
from ....block import Block
from ....hybrid_block import HybridBlock
from ....nn import HybridSequential, Sequential
from .basic import Cast, Compose, Normalize, RandomApply, ToTensor
from .colour import (
    RandomBrightness,
    RandomColorJitter,
    RandomContrast,
    RandomHue,
    RandomLighting,
    RandomSaturation,
)
from .geometry import (
    CenterCrop,
    CropResize,
    RandomFlipLeftRight,
    RandomFlipTopBottom,
    RandomResizedCrop,
    RandomRotation,
    Resize,
    Rotate,
)

__all__ = [
    "Cast",
    "CenterCrop",
    "Compose",
    "CropResize",
    "Normalize",
    "RandomApply",
    "RandomBrightness",
    "RandomColorJitter",
    "RandomContrast",
    "RandomFlipLeftRight",
    "RandomFlipTopBottom",
    "RandomHue",
    "RandomLighting",
    "RandomResizedCrop",
    "RandomRotation",
    "RandomSaturation",
    "Resize",
    "Rotate",
    "ToTensor",
]
