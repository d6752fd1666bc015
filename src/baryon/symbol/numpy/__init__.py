"""The NumPy interface's functions of symbols (`mx.sym.np`); `mx.np` is the whole of it."""

from ...numpy_functions import functions as _functions
from ...numpy_functions import spaces as _spaces
from ..np_symbol import FRONT as _FRONT
from ..np_symbol import _Symbol
from ..np_symbol import draw as _draw
from . import linalg, random

globals().update(_functions("", _draw, __name__))
_internal = _spaces.operators(_FRONT, f"{__name__}._internal", "_npi_")
__getattr__, __dir__ = _spaces.prefer_operators(_FRONT, __name__, "_np_")
