"""Linear algebra (`mx.np.linalg`)."""

from ..ndarray.np_ndarray import draw as _draw
from ..numpy_functions import functions as _functions
from ..numpy_functions import host_functions as _host_functions

globals().update(_host_functions("linalg"))
globals().update(_functions("linalg", _draw, __name__))
