"""What the NumPy interface has beyond NumPy, on symbols (`mx.sym.npx`)."""

from __future__ import annotations

from ...numpy_functions import spaces
from ..np_symbol import FRONT
from . import random

image = spaces.operators(FRONT, f"{__name__}.image", "_npx__image_")
__getattr__, __dir__ = spaces.prefer_operators(FRONT, __name__, "_npx_")
