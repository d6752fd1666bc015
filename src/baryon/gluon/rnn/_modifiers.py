"""Cells that change another cell: dropout, zoneout, residual."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ... import ndarray
from ..utils import ArgumentError
from ._cell import HybridRecurrentCell, RecurrentCell
from ._sequence import TENSORS, _format_sequence, _mask_sequence_variable_length
from ._stacks import BidirectionalCell, HybridSequentialRNNCell, SequentialRNNCell


class DropoutCell(HybridRecurrentCell):
    """Dropout on the input; it has no state.

    rate : fraction of elements set to zero.      axes : axes along which one decision counts.

    >>> cell = mx.gluon.rnn.DropoutCell(0.5)
    >>> cell(mx.nd.ones((1, 2)), [])[0].asnumpy()  # only training drops
    array([[1., 1.]], dtype=float32)
    """

    def __init__(
        self,
        rate: float,
        axes: tuple[int, ...] = (),
        prefix: str | None = None,
        params: Any = None,
    ) -> None:
        super().__init__(prefix, params)
        if not isinstance(rate, (int, float)):
            raise ArgumentError(f"rate must be a number, got {rate!r}")
        self._rate = rate
        self._axes = axes

    def __repr__(self) -> str:
        return f"{type(self).__name__}(rate={self._rate}, axes={self._axes})"

    def _alias(self) -> str:
        return "dropout"

    def state_info(self, batch_size: int = 0) -> list[dict]:
        """No states."""
        return []

    def hybrid_forward(self, F: Any, inputs: Any, states: list) -> Any:
        """One step."""
        if self._rate > 0:
            inputs = F.Dropout(inputs, p=self._rate, axes=self._axes, name=f"t{self._counter}_fwd")
        return inputs, states

    def unroll(
        self,
        length: int,
        inputs: Any,
        begin_state: Any = None,
        layout: str = "NTC",
        merge_outputs: bool | None = None,
        valid_length: Any = None,
    ) -> tuple[Any, list]:
        """All steps at once where they are one tensor; see `RecurrentCell.unroll`."""
        self.reset()
        inputs, _, F, _ = _format_sequence(length, inputs, layout, merge_outputs)
        if isinstance(inputs, TENSORS):
            return self.hybrid_forward(F, inputs, begin_state or [])
        return super().unroll(length, inputs, begin_state, layout, merge_outputs, None)


class ModifierCell(HybridRecurrentCell):
    """Base class of cells that wrap another; the wrapped cell keeps the Parameters.

    >>> class Doubled(mx.gluon.rnn.ModifierCell):
    ...     def hybrid_forward(self, F, inputs, states):
    ...         output, states = self.base_cell(inputs, states)
    ...         return 2 * output, states
    >>> cell = Doubled(mx.gluon.rnn.RNNCell(4))
    >>> cell.initialize()
    >>> cell(mx.nd.ones((2, 3)), cell.begin_state(batch_size=2))[0].shape
    (2, 4)
    """

    def __init__(self, base_cell: RecurrentCell) -> None:
        base_cell._require_unmodified()
        base_cell._modified = True
        super().__init__(prefix=base_cell.prefix + self._alias(), params=None)
        self.base_cell = base_cell

    @property
    def params(self) -> Any:
        """The wrapped cell's Parameters."""
        return self.base_cell.params

    def state_info(self, batch_size: int = 0) -> list[dict]:
        """The wrapped cell's states."""
        return self.base_cell.state_info(batch_size)

    def begin_state(self, func: Callable = ndarray.zeros, **kwargs: Any) -> list:
        """The wrapped cell's first states."""
        self._require_unmodified()
        self.base_cell._modified = False
        try:
            return self.base_cell.begin_state(func=func, **kwargs)
        finally:
            self.base_cell._modified = True

    def hybrid_forward(self, F: Any, inputs: Any, states: list) -> Any:
        """One step; subclasses define it."""
        raise NotImplementedError(f"{type(self).__name__} defines no hybrid_forward")

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.base_cell!r})"


class ZoneoutCell(ModifierCell):
    """Zoneout (Krueger et al., 2017): elements keep their previous value at random in training.

    zoneout_outputs, zoneout_states : fractions of outputs and states that do so.

    >>> cell = mx.gluon.rnn.ZoneoutCell(mx.gluon.rnn.RNNCell(4), zoneout_states=0.5)
    >>> cell.initialize()
    >>> cell(mx.nd.ones((2, 3)), cell.begin_state(batch_size=2))[0].shape
    (2, 4)
    """

    def __init__(
        self, base_cell: RecurrentCell, zoneout_outputs: float = 0.0, zoneout_states: float = 0.0
    ) -> None:
        cells = [base_cell]
        if isinstance(base_cell, (SequentialRNNCell, HybridSequentialRNNCell)):
            cells += base_cell._children.values()
        if any(isinstance(cell, BidirectionalCell) for cell in cells):
            raise ArgumentError(
                "BidirectionalCell doesn't support zoneout since it doesn't support step. Please "
                "add ZoneoutCell to the cells underneath instead."
            )
        super().__init__(base_cell)
        self._zoneout_outputs = zoneout_outputs
        self._zoneout_states = zoneout_states
        self._prev_output: Any = None

    def __repr__(self) -> str:
        return (
            f"{type(self).__name__}(p_out={self._zoneout_outputs}, p_state={self._zoneout_states}, "
            f"{self.base_cell!r})"
        )

    def _alias(self) -> str:
        return "zoneout"

    def reset(self) -> None:
        """Forget the steps counted so far and the last output."""
        super().reset()
        self._prev_output = None

    def hybrid_forward(self, F: Any, inputs: Any, states: list) -> Any:
        """One step."""
        output, new_states = self.base_cell(inputs, states)

        def zoned(rate: float, new: Any, old: Any) -> Any:
            if not rate:
                return new
            mask = F.Dropout(F.ones_like(new), p=rate)
            return F.where(mask, new, F.zeros_like(new) if old is None else old)

        output = zoned(self._zoneout_outputs, output, self._prev_output)
        new_states = [
            zoned(self._zoneout_states, new, old)
            for new, old in zip(new_states, states, strict=True)
        ]
        self._prev_output = output
        return output, new_states


class ResidualCell(ModifierCell):
    """Adds the input to the wrapped cell's output (Wu et al., 2016).

    >>> cell = mx.gluon.rnn.ResidualCell(mx.gluon.rnn.RNNCell(3))
    >>> cell.initialize(mx.init.Zero())
    >>> cell(mx.nd.ones((1, 3)), cell.begin_state(batch_size=1))[0].asnumpy()
    array([[1., 1., 1.]], dtype=float32)
    """

    def hybrid_forward(self, F: Any, inputs: Any, states: list) -> Any:
        """One step."""
        output, states = self.base_cell(inputs, states)
        name = f"t{self.base_cell._counter}_fwd"
        return F.elemwise_add(output, inputs, name=name), states

    def unroll(
        self,
        length: int,
        inputs: Any,
        begin_state: Any = None,
        layout: str = "NTC",
        merge_outputs: bool | None = None,
        valid_length: Any = None,
    ) -> tuple[Any, list]:
        """The wrapped cell's outputs plus the inputs; see `RecurrentCell.unroll`."""
        self.reset()
        self.base_cell._modified = False
        try:
            outputs, states = self.base_cell.unroll(
                length, inputs, begin_state, layout, merge_outputs, valid_length
            )
        finally:
            self.base_cell._modified = True
        merge = isinstance(outputs, TENSORS) if merge_outputs is None else merge_outputs
        inputs, axis, F, _ = _format_sequence(length, inputs, layout, merge)
        if valid_length is not None:
            inputs = _mask_sequence_variable_length(F, inputs, length, valid_length, axis, merge)
        if merge:
            return F.elemwise_add(outputs, inputs), states
        return [F.elemwise_add(o, x) for o, x in zip(outputs, inputs, strict=True)], states
