"""``mxnet.symbol.symbol``: the module path by which programs and pickles know these."""

from ..attribute import AttrScope
from ..base import MXNetError, NotImplementedForSymbol
from ..context import Context
from ..executor import Executor
from ..ndarray import NDArray
from ._symbol import Symbol, compose  # noqa: F401 - the second for this package
from .creation import (
    Group,
    Variable,
    arange,
    eye,
    full,
    histogram,
    linspace,
    load,
    load_json,
    ones,
    split_v2,
    var,
    zeros,
)
from .operands import hypot, maximum, minimum, pow, power

SymbolBase = Symbol

__all__ = [
    "AttrScope",
    "Context",
    "Executor",
    "Group",
    "MXNetError",
    "NDArray",
    "NotImplementedForSymbol",
    "Symbol",
    "SymbolBase",
    "Variable",
    "arange",
    "eye",
    "full",
    "histogram",
    "hypot",
    "linspace",
    "load",
    "load_json",
    "maximum",
    "minimum",
    "ones",
    "pow",
    "power",
    "split_v2",
    "var",
    "zeros",
]
