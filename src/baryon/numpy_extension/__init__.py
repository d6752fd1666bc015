"""What the NumPy interface has beyond NumPy (`mx.npx`): layers' operators, devices, modes, files.

>>> mx.npx.relu(mx.np.array([-1.0, 2.0]))
array([0., 2.])
"""

from ..context import Context, cpu, cpu_pinned, current_context, gpu, gpu_memory_info, num_gpus
from ..ndarray import numpy_extension as _arrays
from ..ndarray import waitall
from ..ndarray.np_ndarray import draw as _draw
from ..ndarray.np_ndarray import ndarray
from ..numpy_functions.indexing import constraint_check
from ..numpy_functions.spaces import names as _names
from ..util import get_cuda_compute_capability, is_np_array, is_np_shape, reset_np, set_np
from . import image, random, utils
from .utils import load, save


def nonzero(a: ndarray) -> ndarray:
    """Positions (int64) of the elements that are not 0, one row an element.

    >>> mx.npx.nonzero(mx.np.array([0, 3, 4])).tolist()
    [[1], [2]]
    """
    return _draw("_npx_nonzero", a)


def __getattr__(name: str) -> object:
    """An operator of ``_npx_``, such as `convolution`."""
    found = globals()[name] = getattr(_arrays, name)
    return found


def __dir__() -> list[str]:
    return sorted({*globals(), *_names("_npx_")})
