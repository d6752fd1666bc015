"""Random arrays of the NumPy interface."""

from ...context import current_context  # noqa: F401
from ...numpy_functions import functions as _functions
from .. import NDArray  # noqa: F401
from ..np_ndarray import draw as _draw

globals().update(_functions("random", _draw, __name__))
