"""Cells made of cells, and dropout between them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from .. import symbol
from ..ndarray import NDArray
from ..symbol import Symbol
from ._base import BaseRNNCell, RNNParams, Sequence_, Weights, begin_states, normalize_sequence


class _Stack(BaseRNNCell):
    """A cell that consists of others."""

    def __init__(self, prefix: str, params: RNNParams | None) -> None:
        super().__init__(prefix=prefix, params=params)
        self._override_cell_params = params is not None
        self._cells: list[BaseRNNCell] = []

    def _take(self, cell: BaseRNNCell) -> None:
        """Append a cell; parameters are shared in one direction only."""
        if self._override_cell_params:
            if not cell._own_params:
                raise AssertionError(
                    "Either specify params for the stack or for the cells in it, not both."
                )
            cell.params._params.update(self._params._params)
        self._params._params.update(cell.params._params)
        self._cells.append(cell)

    def reset(self) -> None:
        """Begin to count steps anew, in all cells."""
        super().reset()
        for cell in getattr(self, "_cells", ()):
            cell.reset()

    @property
    def state_info(self) -> list[dict[str, Any]]:
        """The states of all cells."""
        return [info for cell in self._cells for info in cell.state_info]

    def begin_state(self, **kwargs: Any) -> list[Symbol]:
        """The begin states of all cells."""
        if self._modified:
            raise AssertionError(
                "After applying modifier cells (e.g. DropoutCell) the base cell cannot be called "
                "directly. Call the modifier cell instead."
            )
        return begin_states(self._cells, **kwargs)

    def unpack_weights(self, args: Mapping[str, NDArray]) -> Weights:
        """`BaseRNNCell.unpack_weights` of all cells."""
        for cell in self._cells:
            args = cell.unpack_weights(args)
        return args

    def pack_weights(self, args: Mapping[str, NDArray]) -> Weights:
        """`BaseRNNCell.pack_weights` of all cells."""
        for cell in self._cells:
            args = cell.pack_weights(args)
        return args

    def _divided(self, states: Sequence[Symbol]) -> list[Sequence[Symbol]]:
        """The states of each cell."""
        parts, start = [], 0
        for cell in self._cells:
            count = len(cell.state_info)
            parts.append(states[start : start + count])
            start += count
        return parts


class SequentialRNNCell(_Stack):
    """Cells one above the other.

    >>> stack = mx.rnn.SequentialRNNCell()
    >>> stack.add(mx.rnn.LSTMCell(4, prefix="a_"))
    >>> stack.add(mx.rnn.GRUCell(3, prefix="b_"))
    >>> stack.state_shape
    [(0, 4), (0, 4), (0, 3)]
    """

    def __init__(self, params: RNNParams | None = None) -> None:
        super().__init__("", params)

    def add(self, cell: BaseRNNCell) -> None:
        """Put a cell on top."""
        self._take(cell)

    def __call__(self, inputs: Symbol, states: Sequence[Symbol]) -> tuple[Symbol, list[Symbol]]:
        """One step."""
        self._counter += 1
        following: list[Symbol] = []
        for cell, own in zip(self._cells, self._divided(states), strict=True):
            if isinstance(cell, BidirectionalCell):
                raise AssertionError("a BidirectionalCell cannot be stepped; use unroll")
            inputs, own = cell(inputs, own)
            following += own
        return inputs, following

    def unroll(
        self,
        length: int,
        inputs: Sequence_,
        begin_state: Sequence[Symbol] | None = None,
        layout: str = "NTC",
        merge_outputs: bool | None = None,
    ) -> tuple[Sequence_, list[Symbol]]:
        """Unroll cell by cell."""
        self.reset()
        states = self.begin_state() if begin_state is None else begin_state
        following: list[Symbol] = []
        for i, (cell, own) in enumerate(zip(self._cells, self._divided(states), strict=True)):
            merge = merge_outputs if i + 1 == len(self._cells) else None
            inputs, own = cell.unroll(length, inputs, own, layout, merge)
            following += own
        return inputs, following


class DropoutCell(BaseRNNCell):
    """Dropout on the inputs; for stacks. dropout : probability with which elements are dropped."""

    def __init__(
        self, dropout: float, prefix: str = "dropout_", params: RNNParams | None = None
    ) -> None:
        super().__init__(prefix, params)
        if not isinstance(dropout, int | float):
            raise TypeError("dropout probability must be a number")
        self.dropout = dropout

    @property
    def state_info(self) -> list[dict[str, Any]]:
        """No states."""
        return []

    def __call__(self, inputs: Symbol, states: Sequence[Symbol]) -> tuple[Symbol, list[Symbol]]:
        """One step."""
        if self.dropout > 0:
            inputs = symbol.Dropout(data=inputs, p=self.dropout)
        return inputs, list(states)

    def unroll(
        self,
        length: int,
        inputs: Sequence_,
        begin_state: Sequence[Symbol] | None = None,
        layout: str = "NTC",
        merge_outputs: bool | None = None,
    ) -> tuple[Sequence_, list[Symbol]]:
        """All steps at once, where the sequence is one symbol."""
        self.reset()
        inputs, _ = normalize_sequence(length, inputs, layout, merge_outputs)
        if isinstance(inputs, Symbol):
            return self(inputs, [])
        return super().unroll(length, inputs, begin_state, layout, merge_outputs)


class BidirectionalCell(_Stack):
    """One cell forwards and one backwards over the sequence; outputs are joined.

    output_prefix : in front of the joined outputs' names.
    """

    def __init__(
        self,
        l_cell: BaseRNNCell,
        r_cell: BaseRNNCell,
        params: RNNParams | None = None,
        output_prefix: str = "bi_",
    ) -> None:
        super().__init__("", params)
        self._output_prefix = output_prefix
        self._take(l_cell)
        self._take(r_cell)

    def __call__(self, inputs: Symbol, states: Sequence[Symbol]) -> tuple[Any, list[Symbol]]:
        """A backward cell needs the whole sequence: NotImplementedError."""
        raise NotImplementedError("Bidirectional cannot be stepped. Please use unroll")

    def unroll(
        self,
        length: int,
        inputs: Sequence_,
        begin_state: Sequence[Symbol] | None = None,
        layout: str = "NTC",
        merge_outputs: bool | None = None,
    ) -> tuple[Sequence_, list[Any]]:
        """Unroll both; the states come as one list of each cell's, as MXNet gives them."""
        self.reset()
        steps, axis = normalize_sequence(length, inputs, layout, merge=False)
        states = self.begin_state() if begin_state is None else begin_state
        l_cell, r_cell = self._cells
        l_states, r_states = self._divided(states)
        l_out, l_states = l_cell.unroll(length, steps, l_states, layout, merge_outputs)
        r_out, r_states = r_cell.unroll(
            length, list(reversed(steps)), r_states, layout, merge_outputs
        )
        whole = isinstance(l_out, Symbol) and isinstance(r_out, Symbol)
        if merge_outputs is None and not whole:
            l_out, _ = normalize_sequence(None, l_out, layout, merge=False)
            r_out, _ = normalize_sequence(None, r_out, layout, merge=False)
        if whole:
            r_out = symbol.reverse(r_out, axis=axis)
            outputs = symbol.Concat(l_out, r_out, dim=2, name=f"{self._output_prefix}out")
            return outputs, [l_states, r_states]
        pairs = zip(l_out, reversed(r_out), strict=True)
        outputs = [
            symbol.Concat(a, b, dim=1, name=f"{self._output_prefix}t{i}")
            for i, (a, b) in enumerate(pairs)
        ]
        return outputs, [l_states, r_states]
