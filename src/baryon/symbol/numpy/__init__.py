"""The NumPy interface's functions of symbols (`mx.sym.np`); `mx.np` is the whole of it."""

from __future__ import annotations

from ...numpy_functions import functions, spaces
from ..np_symbol import FRONT, _Symbol, draw
from . import linalg, random

globals().update(functions("", draw, __name__))
_internal = spaces.operators(FRONT, f"{__name__}._internal", "_npi_")
__getattr__, __dir__ = spaces.prefer_operators(FRONT, __name__, "_np_")
