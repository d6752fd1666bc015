"""First values of parameters (``mxnet.initializer``, also ``baryon.init``).

An initializer is called with a description (`InitDesc`, a name with attributes) and the array to
fill. The name decides: ``..._weight`` is filled by the initializer's rule, ``..._bias`` and
``..._beta`` with zeros, ``..._gamma`` with ones, running statistics with 0 and 1. An ``__init__``
attribute of the description overrides all that. Draws come from baryon's random stream, so
``mx.random.seed`` makes them repeat.
"""

from __future__ import annotations

from ..ndarray import NDArray  # MXNet has it here
from .base import InitDesc, Initializer, alias, create, register
from .composed import Load, Mixed
from .drawn import MSRAPrelu, Normal, Orthogonal, Uniform, Xavier
from .recurrent import FusedRNN, LSTMBias
from .values import Bilinear, Constant, One, Zero

__all__ = [
    "Bilinear",
    "Constant",
    "FusedRNN",
    "InitDesc",
    "Initializer",
    "LSTMBias",
    "Load",
    "MSRAPrelu",
    "Mixed",
    "Normal",
    "One",
    "Orthogonal",
    "Uniform",
    "Xavier",
    "Zero",
    "alias",
    "create",
    "register",
]
