"""`Block`, `HybridBlock` and `SymbolBlock`."""

# ruff: noqa: F401 (programs find the names below in this module)

from __future__ import annotations

from ..base import MXNetError
from ..ndarray import NDArray
from ..symbol import Symbol
from ._block import Block
from ._scope import BlockScope as _BlockScope
from ._structure import _flatten, _regroup
from .hybrid_block import HybridBlock
from .parameter import DeferredInitializationError, Parameter, ParameterDict
from .symbol_block import SymbolBlock
from .utils import HookHandle

__all__ = ["Block", "HybridBlock", "SymbolBlock"]
