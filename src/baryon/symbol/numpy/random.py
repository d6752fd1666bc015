"""Random symbols of the NumPy interface."""

from ...numpy_functions import functions
from ..np_symbol import draw

globals().update(functions("random", draw, __name__))
