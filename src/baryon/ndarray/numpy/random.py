"""Random arrays of the NumPy interface."""

from ...context import current_context  # noqa: F401
from ...numpy_functions import functions
from .. import NDArray  # noqa: F401
from ..np_ndarray import draw

globals().update(functions("random", draw, __name__))
