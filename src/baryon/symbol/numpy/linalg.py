"""Linear algebra on symbols of the NumPy interface."""

from ...numpy_functions import functions as _functions
from ..np_symbol import draw as _draw

globals().update(_functions("linalg", _draw, __name__))
