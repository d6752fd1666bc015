"""What the NumPy interface has beyond NumPy, on arrays (`mx.nd.npx`)."""

from ...numpy_functions import spaces as _spaces
from ..np_front import FRONT as _FRONT
from . import random

image = _spaces.operators(_FRONT, f"{__name__}.image", "_npx__image_")
__getattr__, __dir__ = _spaces.prefer_operators(_FRONT, __name__, "_npx_")
