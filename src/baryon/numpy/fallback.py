"""The functions that NumPy computes, on the host and without gradients."""

from ..numpy_functions import host_functions

globals().update(host_functions(""))
