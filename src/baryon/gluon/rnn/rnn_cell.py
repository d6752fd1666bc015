"""Recurrent cells: one step at a time, or unrolled over a sequence."""

from __future__ import annotations

from ._basic_cells import GRUCell, LSTMCell, RNNCell
from ._cell import HybridRecurrentCell, RecurrentCell
from ._modifiers import DropoutCell, ModifierCell, ResidualCell, ZoneoutCell
from ._stacks import BidirectionalCell, HybridSequentialRNNCell, SequentialRNNCell

__all__ = [
    "BidirectionalCell",
    "DropoutCell",
    "GRUCell",
    "HybridRecurrentCell",
    "HybridSequentialRNNCell",
    "LSTMCell",
    "ModifierCell",
    "RNNCell",
    "RecurrentCell",
    "ResidualCell",
    "SequentialRNNCell",
    "ZoneoutCell",
]
