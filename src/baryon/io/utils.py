"""``mxnet.io.utils``: the module path by which programs import these."""

from ..ndarray import NDArray
from ..ndarray.sparse import CSRNDArray
from .arrays import named_arrays as _init_data  # noqa: F401

__all__ = ["CSRNDArray", "NDArray"]
