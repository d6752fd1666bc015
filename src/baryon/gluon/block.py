"""`Block`, `HybridBlock` and `SymbolBlock`."""

from __future__ import annotations

from ._block import Block
from .hybrid_block import HybridBlock
from .symbol_block import SymbolBlock

__all__ = ["Block", "HybridBlock", "SymbolBlock"]
