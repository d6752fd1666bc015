"""Random arrays (`mx.np.random`); the numbers follow from ``mx.random.seed``."""

from ..ndarray.np_ndarray import draw
from ..numpy_functions import functions

globals().update(functions("random", draw, __name__))
