"""Dropout that is the same at all steps, LSTM with projection, unrolling as a loop operator."""

from __future__ import annotations

from typing import Any

from ...rnn._sequence import (
    TENSORS,
    _format_sequence,
    _get_begin_state,
    _mask_sequence_variable_length,
)
from ...rnn.rnn_cell import (
    BidirectionalCell,
    HybridRecurrentCell,
    ModifierCell,
    SequentialRNNCell,
)
from ...utils import ArgumentError

__all__ = ["LSTMPCell", "VariationalDropoutCell"]


class VariationalDropoutCell(ModifierCell):
    """Dropout with one mask for all steps of a sequence (Gal and Ghahramani, 2016).

    drop_inputs, drop_states, drop_outputs : fractions of the input, of the first state and of the
    output that are set to zero. `reset` has new masks drawn; `unroll` does it itself.

    >>> cell = mx.gluon.contrib.rnn.VariationalDropoutCell(mx.gluon.rnn.RNNCell(4), 0.5)
    >>> cell.initialize()
    >>> outputs, _ = cell.unroll(3, mx.nd.ones((2, 3, 5)), merge_outputs=True)
    >>> outputs.shape
    (2, 3, 4)
    """

    def __init__(
        self,
        base_cell: Any,
        drop_inputs: float = 0.0,
        drop_states: float = 0.0,
        drop_outputs: float = 0.0,
    ) -> None:
        cells = [base_cell]
        if isinstance(base_cell, SequentialRNNCell):
            cells += base_cell._children.values()
        if drop_states and any(isinstance(cell, BidirectionalCell) for cell in cells):
            raise ArgumentError(
                "BidirectionalCell doesn't support variational state dropout. Please add "
                "VariationalDropoutCell to the cells underneath instead."
            )
        super().__init__(base_cell)
        self.drop_inputs, self.drop_states = drop_inputs, drop_states
        self.drop_outputs = drop_outputs

    def _alias(self) -> str:
        return "vardrop"

    def __repr__(self) -> str:
        return f"{type(self).__name__}(p_out = {self.drop_outputs}, p_state = {self.drop_states})"

    def reset(self) -> None:
        """Forget the masks and the steps counted so far."""
        super().reset()
        self._masks: dict[str, Any] = {}

    def _masked(self, F: Any, what: str, rate: float, value: Any) -> Any:
        """A value times the mask of its kind, drawn when first needed."""
        if not rate:
            return value
        if what not in self._masks:
            self._masks[what] = F.Dropout(F.ones_like(value), p=rate)
        return value * self._masks[what]

    def hybrid_forward(self, F: Any, inputs: Any, states: list) -> Any:
        """One step."""
        first, *rest = states
        states = [self._masked(F, "states", self.drop_states, first), *rest]
        inputs = self._masked(F, "inputs", self.drop_inputs, inputs)
        output, states = self.base_cell(inputs, states)
        return self._masked(F, "outputs", self.drop_outputs, output), states

    def unroll(
        self,
        length: int,
        inputs: Any,
        begin_state: Any = None,
        layout: str = "NTC",
        merge_outputs: bool | None = None,
        valid_length: Any = None,
    ) -> tuple[Any, list]:
        """All steps at once where the state is left alone; see `RecurrentCell.unroll`."""
        self.reset()
        if self.drop_states:
            return super().unroll(length, inputs, begin_state, layout, merge_outputs, valid_length)
        inputs, axis, F, _ = _format_sequence(length, inputs, layout, True)
        if self.drop_inputs:
            inputs = F.Dropout(inputs, p=self.drop_inputs, axes=(axis,))
        self.base_cell._modified = False
        try:
            outputs, states = self.base_cell.unroll(
                length, inputs, begin_state, layout, True, valid_length
            )
        finally:
            self.base_cell._modified = True
        if self.drop_outputs:
            outputs = F.Dropout(outputs, p=self.drop_outputs, axes=(axis,))
        merge = isinstance(outputs, TENSORS) if merge_outputs is None else merge_outputs
        outputs, _, _, _ = _format_sequence(length, outputs, layout, merge)
        return outputs, states


class LSTMPCell(HybridRecurrentCell):
    """LSTM whose output is a projection of its hidden units (Sak et al., 2014).

    hidden_size     : number of memory units.
    projection_size : length of the output and of the recurrent state.

    >>> cell = mx.gluon.contrib.rnn.LSTMPCell(6, 4)
    >>> cell.initialize()
    >>> output, states = cell(mx.nd.ones((2, 3)), cell.begin_state(2))
    >>> output.shape, [s.shape for s in states]
    ((2, 4), [(2, 4), (2, 6)])
    """

    def __init__(
        self,
        hidden_size: int,
        projection_size: int,
        i2h_weight_initializer: Any = None,
        h2h_weight_initializer: Any = None,
        h2r_weight_initializer: Any = None,
        i2h_bias_initializer: Any = "zeros",
        h2h_bias_initializer: Any = "zeros",
        input_size: int = 0,
        prefix: str | None = None,
        params: Any = None,
    ) -> None:
        super().__init__(prefix=prefix, params=params)
        self._hidden_size, self._projection_size = hidden_size, projection_size
        rows = 4 * hidden_size
        for name, shape, init in (
            ("i2h_weight", (rows, input_size), i2h_weight_initializer),
            ("h2h_weight", (rows, projection_size), h2h_weight_initializer),
            ("h2r_weight", (projection_size, hidden_size), h2r_weight_initializer),
            ("i2h_bias", (rows,), i2h_bias_initializer),
            ("h2h_bias", (rows,), h2h_bias_initializer),
        ):
            param = self.params.get(name, shape=shape, init=init, allow_deferred_init=True)
            setattr(self, name, param)

    def _alias(self) -> str:
        return "lstmp"

    def __repr__(self) -> str:
        rows, inputs = self.i2h_weight.shape
        return f"{type(self).__name__}({inputs or None} -> {rows} -> {self._projection_size})"

    def state_info(self, batch_size: int = 0) -> list[dict]:
        """The output (N, projection_size) and the memory (N, hidden_size)."""
        sizes = (self._projection_size, self._hidden_size)
        return [{"shape": (batch_size, size), "__layout__": "NC"} for size in sizes]

    def hybrid_forward(
        self,
        F: Any,
        inputs: Any,
        states: list,
        i2h_weight: Any,
        h2h_weight: Any,
        h2r_weight: Any,
        i2h_bias: Any,
        h2h_bias: Any,
    ) -> Any:
        """One step."""
        prefix, rows = f"t{self._counter}_", 4 * self._hidden_size
        dense = F.FullyConnected
        i2h = dense(inputs, i2h_weight, i2h_bias, num_hidden=rows, name=prefix + "i2h")
        h2h = dense(states[0], h2h_weight, h2h_bias, num_hidden=rows, name=prefix + "h2h")
        gates = F.SliceChannel(i2h + h2h, num_outputs=4, name=prefix + "slice")
        kinds = zip("ifco", gates, ("sigmoid", "sigmoid", "tanh", "sigmoid"), strict=True)
        i, f, c, o = (F.Activation(g, act_type=kind, name=prefix + n) for n, g, kind in kinds)
        memory = F.elemwise_add(f * states[1], i * c, name=prefix + "state")
        hidden = F.elemwise_mul(o, F.Activation(memory, act_type="tanh"), name=prefix + "hidden")
        output = dense(
            hidden,
            h2r_weight,
            num_hidden=self._projection_size,
            no_bias=True,
            name=prefix + "out",
        )
        return output, [output, memory]


def dynamic_unroll(
    cell: Any,
    inputs: Any,
    begin_state: Any,
    drop_inputs: float = 0,
    drop_outputs: float = 0,
    layout: str = "TNC",
    valid_length: Any = None,
) -> tuple[Any, list]:
    """Unroll a cell over any number of steps by the operator ``contrib.foreach``.

    inputs      : one tensor; its time axis says how many steps there are.
    begin_state : first states.
    drop_inputs, drop_outputs : fractions dropped, the same elements at all steps.

    >>> cell = mx.gluon.rnn.RNNCell(4)
    >>> cell.initialize()
    >>> unroll = mx.gluon.contrib.rnn.rnn_cell.dynamic_unroll
    >>> unroll(cell, mx.nd.ones((3, 2, 5)), cell.begin_state(2))[0].shape
    (3, 2, 4)
    """
    cell.reset()
    inputs, axis, F, size = _format_sequence(None, inputs, layout, True)
    states = _get_begin_state(cell, F, begin_state, inputs, size)
    if axis:
        inputs = F.swapaxes(inputs, dim1=0, dim2=axis)
    if drop_inputs:
        inputs = F.Dropout(inputs, p=drop_inputs, axes=(0,))
    if valid_length is None:
        outputs, states = F.contrib.foreach(cell, inputs, states)
    else:
        outputs, states = _foreach_valid(cell, F, inputs, states, valid_length)
    if drop_outputs:
        outputs = F.Dropout(outputs, p=drop_outputs, axes=(0,))
    if axis:
        outputs = F.swapaxes(outputs, dim1=0, dim2=axis)
    if valid_length is not None:
        outputs = _mask_sequence_variable_length(F, outputs, 0, valid_length, axis, True)
    return outputs, states


def _foreach_valid(cell: Any, F: Any, inputs: Any, states: list, valid_length: Any) -> tuple:
    """As ``foreach``, but a sample's states stay once its valid steps are over."""

    def step(x: Any, loop: list) -> tuple[Any, list]:
        now, *old = loop
        output, new = cell(x, old)
        valid = F.broadcast_lesser(now, valid_length)
        kept = [F.where(valid, n, o) for n, o in zip(new, old, strict=True)]
        return output, [now + 1, *kept]

    outputs, (_, *last) = F.contrib.foreach(
        step, inputs, [F.zeros_like(valid_length.slice_axis(axis=0, begin=0, end=1)), *states]
    )
    return outputs, last
