"""The NumPy interface (`mx.np`): NumPy's functions on arrays that record, compile and move.

>>> x = mx.np.array([[1, 2], [3, 4]])
>>> mx.np.dot(x, x.T).diag()
array([ 5., 25.])
"""

from ..ndarray import numpy as _arrays
from ..ndarray.np_ndarray import array, empty, ndarray
from ..ndarray.np_ndarray import draw as _draw
from ..numpy_functions import functions as _functions
from ..numpy_functions import host_functions as _host_functions
from ..numpy_functions.spaces import names as _names
from . import (
    fallback,
    fallback_linalg,
    function_base,
    io,
    linalg,
    multiarray,
    random,
    stride_tricks,
    utils,
)
from .arrayprint import set_printoptions
from .io import genfromtxt
from .utils import *  # noqa: F403

globals().update(_host_functions(""))
globals().update(_functions("", _draw, __name__))


def __getattr__(name: str) -> object:
    """A function that is an operator as it stands: `transpose`, `squeeze` and their like."""
    found = globals()[name] = getattr(_arrays, name)
    return found


def __dir__() -> list[str]:
    return sorted({*globals(), *_names("_np_")})
