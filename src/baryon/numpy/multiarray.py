"""The functions of ``mx.np`` where ``mxnet.numpy`` keeps them."""

# ruff: noqa: F401

from ..autograd import is_recording
from ..context import Context, current_context
from ..ndarray import NDArray, from_numpy
from ..ndarray.np_ndarray import array, draw, empty, ndarray
from ..numpy_functions import functions, host_functions
from ..util import set_module, wrap_np_binary_func, wrap_np_unary_func

globals().update(host_functions(""))
globals().update(functions("", draw, "baryon.numpy"))
