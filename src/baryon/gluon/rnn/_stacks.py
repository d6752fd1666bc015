"""Cells made of cells: in a row, or in both directions."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from ..utils import ArgumentError, indent
from ._cell import HybridRecurrentCell, RecurrentCell
from ._sequence import TENSORS, _format_sequence, _get_begin_state, _reverse_sequences


def _parts(cells: Any, states: list) -> Iterator[tuple[Any, list]]:
    """Each cell with its own states out of the list of all."""
    start = 0
    for cell in cells:
        count = len(cell.state_info())
        yield cell, states[start : start + count]
        start += count


class _Stack:
    """What `SequentialRNNCell` and `HybridSequentialRNNCell` share."""

    _children: dict[str, Any]

    def add(self, cell: RecurrentCell) -> None:
        """Put a cell on top of the stack."""
        self.register_child(cell)

    def __repr__(self) -> str:
        body = "\n".join(f"({i}): {indent(repr(m), 2)}" for i, m in self._children.items())
        return f"{type(self).__name__}(\n{body}\n)"

    def __len__(self) -> int:
        return len(self._children)

    def __getitem__(self, i: int | str) -> Any:
        return self._children[str(i)]

    def state_info(self, batch_size: int = 0) -> list[dict]:
        """All cells' states in a row."""
        return [info for cell in self._children.values() for info in cell.state_info(batch_size)]

    def begin_state(self, **kwargs: Any) -> list:
        """All cells' first states in a row."""
        self._require_unmodified()
        return [state for cell in self._children.values() for state in cell.begin_state(**kwargs)]

    def _step(self, inputs: Any, states: list) -> tuple[Any, list]:
        """One step through all cells."""
        new_states = []
        for cell, own in _parts(self._children.values(), states):
            if isinstance(cell, BidirectionalCell):
                raise ArgumentError("a BidirectionalCell cannot be stepped; use unroll")
            inputs, own = cell(inputs, own)
            new_states += own
        return inputs, new_states

    def unroll(
        self,
        length: int,
        inputs: Any,
        begin_state: Any = None,
        layout: str = "NTC",
        merge_outputs: bool | None = None,
        valid_length: Any = None,
    ) -> tuple[Any, list]:
        """Unroll each cell over the outputs of the one below; see `RecurrentCell.unroll`."""
        self.reset()
        inputs, _, F, size = _format_sequence(length, inputs, layout, None)
        begin_state = _get_begin_state(self, F, begin_state, inputs, size)
        last, states = len(self._children) - 1, []
        for i, (cell, own) in enumerate(_parts(self._children.values(), begin_state)):
            merge = merge_outputs if i == last else None
            inputs, own = cell.unroll(length, inputs, own, layout, merge, valid_length)
            states += own
        return inputs, states


class SequentialRNNCell(_Stack, RecurrentCell):
    """Cells on top of each other.

    >>> stack = mx.gluon.rnn.SequentialRNNCell()
    >>> stack.add(mx.gluon.rnn.LSTMCell(4))
    >>> stack.add(mx.gluon.rnn.GRUCell(3))
    >>> stack.initialize()
    >>> output, states = stack(mx.nd.ones((2, 5)), stack.begin_state(batch_size=2))
    >>> output.shape, len(states)
    ((2, 3), 3)
    """

    def __init__(self, prefix: str | None = None, params: Any = None) -> None:
        super().__init__(prefix=prefix, params=params)

    def forward(self, inputs: Any, states: list) -> Any:
        """One step."""
        self._counter += 1
        return self._step(inputs, states)

    def hybrid_forward(self, *args: Any, **kwargs: Any) -> Any:
        """Not used: the cells are called one by one."""
        raise NotImplementedError("SequentialRNNCell calls its cells; it has no hybrid_forward")


class HybridSequentialRNNCell(_Stack, HybridRecurrentCell):
    """Hybrid cells on top of each other.

    >>> stack = mx.gluon.rnn.HybridSequentialRNNCell()
    >>> stack.add(mx.gluon.rnn.LSTMCell(4))
    >>> stack.add(mx.gluon.rnn.ResidualCell(mx.gluon.rnn.GRUCell(4)))
    >>> stack.initialize()
    >>> stack.hybridize()
    >>> stack(mx.nd.ones((2, 5)), stack.begin_state(batch_size=2))[0].shape
    (2, 4)
    """

    def __init__(self, prefix: str | None = None, params: Any = None) -> None:
        super().__init__(prefix=prefix, params=params)

    def hybrid_forward(self, F: Any, inputs: Any, states: list) -> Any:
        """One step."""
        return self._step(inputs, states)


class BidirectionalCell(HybridRecurrentCell):
    """Two cells, one for each direction of the sequence; it can only be unrolled.

    l_cell, r_cell : cells for the forward and the backward direction.
    output_prefix  : prefix of the names of outputs.

    >>> cell = mx.gluon.rnn.BidirectionalCell(mx.gluon.rnn.LSTMCell(4), mx.gluon.rnn.LSTMCell(4))
    >>> cell.initialize()
    >>> cell.unroll(3, mx.nd.ones((2, 3, 5)), merge_outputs=True)[0].shape
    (2, 3, 8)
    """

    def __init__(
        self, l_cell: RecurrentCell, r_cell: RecurrentCell, output_prefix: str = "bi_"
    ) -> None:
        super().__init__(prefix="", params=None)
        self.register_child(l_cell, "l_cell")
        self.register_child(r_cell, "r_cell")
        self._output_prefix = output_prefix

    def __call__(self, inputs: Any, states: list) -> Any:
        """Not possible: the backward direction starts at the end."""
        raise NotImplementedError("Bidirectional cannot be stepped. Please use unroll")

    def __repr__(self) -> str:
        left, right = self._children.values()
        return f"{type(self).__name__}(forward={left!r}, backward={right!r})"

    def state_info(self, batch_size: int = 0) -> list[dict]:
        """Both cells' states."""
        return [info for cell in self._children.values() for info in cell.state_info(batch_size)]

    def begin_state(self, **kwargs: Any) -> list:
        """Both cells' first states."""
        self._require_unmodified()
        return [state for cell in self._children.values() for state in cell.begin_state(**kwargs)]

    def unroll(
        self,
        length: int,
        inputs: Any,
        begin_state: Any = None,
        layout: str = "NTC",
        merge_outputs: bool | None = None,
        valid_length: Any = None,
    ) -> tuple[Any, list]:
        """Both directions, outputs joined along the channels; see `RecurrentCell.unroll`."""
        self.reset()
        inputs, axis, F, size = _format_sequence(length, inputs, layout, False)
        backwards = _reverse_sequences(inputs, length, valid_length)
        begin_state = _get_begin_state(self, F, begin_state, inputs, size)
        (left, l_begin), (right, r_begin) = _parts(self._children.values(), begin_state)
        l_out, l_states = left.unroll(length, inputs, l_begin, layout, merge_outputs, valid_length)
        r_out, r_states = right.unroll(length, backwards, r_begin, layout, False, valid_length)
        r_out = _reverse_sequences(r_out, length, valid_length)
        merge = isinstance(l_out, TENSORS) if merge_outputs is None else merge_outputs
        l_out, _, _, _ = _format_sequence(None, l_out, layout, merge)
        r_out, _, _, _ = _format_sequence(None, r_out, layout, merge)
        prefix = self._output_prefix
        if merge:
            outputs = F.concat(l_out, r_out, dim=2, name=prefix + "out")
        else:
            outputs = [
                F.concat(a, b, dim=1, name=f"{prefix}t{i}")
                for i, (a, b) in enumerate(zip(l_out, r_out, strict=True))
            ]
        return outputs, l_states + r_states
