"""Recurrent cells: one step at a time, or unrolled over a sequence."""

# ruff: noqa: F401 (programs find the names below in this module)

from __future__ import annotations

from ..block import Block, HybridBlock
from ..nn import LeakyReLU
from ._basic_cells import GRUCell, LSTMCell, RNNCell
from ._cell import HybridRecurrentCell, RecurrentCell
from ._modifiers import DropoutCell, ModifierCell, ResidualCell, ZoneoutCell
from ._sequence import (
    _format_sequence,
    _get_begin_state,
    _mask_sequence_variable_length,
    _reverse_sequences,
)
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
