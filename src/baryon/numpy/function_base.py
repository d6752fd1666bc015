"""`meshgrid`, where ``mxnet.numpy`` keeps it."""

from ..numpy_functions.shaping import broadcast_arrays, meshgrid

__all__ = ["broadcast_arrays", "meshgrid"]
