"""Linear algebra on symbols of the NumPy interface."""

from ...numpy_functions import functions
from ..np_symbol import draw

globals().update(functions("linalg", draw, __name__))
