"""Random arrays (`mx.np.random`); the numbers follow from ``mx.random.seed``."""

from ..ndarray.np_ndarray import draw as _draw
from ..numpy_functions import functions as _functions

globals().update(_functions("random", _draw, __name__))
