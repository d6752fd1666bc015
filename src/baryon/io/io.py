"""``mxnet.io.io``: the module path by which programs import these."""

from ..ndarray import NDArray, concat, tile
from ..ndarray.sparse import CSRNDArray
from . import *  # noqa: F403
from . import __all__ as _names

__all__ = ["CSRNDArray", "NDArray", "concat", "tile", *_names]
