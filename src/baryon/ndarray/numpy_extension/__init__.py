"""What the NumPy interface has beyond NumPy, on arrays (`mx.nd.npx`)."""

from __future__ import annotations

from ...numpy_functions import spaces
from ..np_front import FRONT
from . import random

image = spaces.operators(FRONT, f"{__name__}.image", "_npx__image_")
__getattr__, __dir__ = spaces.prefer_operators(FRONT, __name__, "_npx_")
