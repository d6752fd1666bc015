"""Linear algebra on arrays of the NumPy interface."""

from ...numpy_functions import functions
from ..np_ndarray import draw

globals().update(functions("linalg", draw, __name__))
