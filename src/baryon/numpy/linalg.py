"""Linear algebra (`mx.np.linalg`)."""

from ..ndarray.np_ndarray import draw
from ..numpy_functions import functions, host_functions

globals().update(host_functions("linalg"))
globals().update(functions("linalg", draw, __name__))
