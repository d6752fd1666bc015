"""`broadcast_arrays`, where ``mxnet.numpy`` keeps it."""

from ..numpy_functions.shaping import broadcast_arrays

__all__ = ["broadcast_arrays"]
