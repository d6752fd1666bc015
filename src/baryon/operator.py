"""Operators written in Python (``mxnet.operator``)."""

from .base import MXCallbackList  # noqa: F401 - MXNet has it here
from .custom import *  # noqa: F403
from .custom import __all__ as _names
from .ndarray import NDArray  # noqa: F401 - and this
from .python_op import NDArrayOp, NumpyOp, PythonOp

__all__ = ["NDArrayOp", "NumpyOp", "PythonOp", *_names]
