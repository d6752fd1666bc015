"""`RecurrentCell`: one step of a recurrent network, and its unrolling over a sequence."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ... import ndarray
from ..block import Block, HybridBlock
from ..nn import LeakyReLU
from ..utils import ArgumentError, in_mode
from ._sequence import _format_sequence, _get_begin_state, _mask_sequence_variable_length


class RecurrentCell(Block):
    """A Block that maps (input, states) of one step to (output, new states).

    >>> cell = mx.gluon.rnn.LSTMCell(4)
    >>> cell.initialize()
    >>> outputs, states = cell.unroll(3, mx.nd.ones((2, 3, 5)), merge_outputs=True)
    >>> outputs.shape, [s.shape for s in states]
    ((2, 3, 4), [(2, 4), (2, 4)])
    """

    def __init__(self, prefix: str | None = None, params: Any = None) -> None:
        super().__init__(prefix=prefix, params=params)
        self._modified = False
        self.reset()

    def reset(self) -> None:
        """Forget the steps counted so far; call it before the cell is used on another graph."""
        self._init_counter = -1
        self._counter = -1
        for cell in self._children.values():
            if isinstance(cell, RecurrentCell):
                cell.reset()

    def state_info(self, batch_size: int = 0) -> list[dict]:
        """Shape and layout of each state."""
        raise NotImplementedError(f"{type(self).__name__} defines no state_info")

    def begin_state(
        self, batch_size: int = 0, func: Callable = ndarray.zeros, **kwargs: Any
    ) -> list:
        """First states.

        func   : makes one from its name and shape: ``nd.zeros``, ``sym.zeros``, ``sym.var``, …
        kwargs : further arguments of `func`, such as ``ctx``.
        """
        self._require_unmodified()
        states = []
        for info in self.state_info(batch_size):
            self._init_counter += 1
            name = f"{self._prefix}begin_state_{self._init_counter}"
            states.append(in_mode(func(name=name, **{**(info or {}), **kwargs})))
        return states

    def _require_unmodified(self) -> None:
        if self._modified:
            raise ArgumentError(
                "After applying modifier cells (e.g. ZoneoutCell) the base cell cannot be called "
                "directly. Call the modifier cell instead."
            )

    def unroll(
        self,
        length: int,
        inputs: Any,
        begin_state: Any = None,
        layout: str = "NTC",
        merge_outputs: bool | None = None,
        valid_length: Any = None,
    ) -> tuple[Any, list]:
        """Apply the cell to `length` steps; returns outputs and the last states.

        inputs        : one tensor of layout `layout`, or a list of steps (N, C).
        begin_state   : first states; default: zeros.
        merge_outputs : True for one tensor, False for a list of steps, None for what comes.
        valid_length  : number of steps of each sample; later outputs are zero and the states are
                        those after the last valid step.

        >>> cell = mx.gluon.rnn.LSTMCell(4)
        >>> cell.initialize()
        >>> outputs, states = cell.unroll(3, mx.nd.ones((2, 3, 5)), merge_outputs=True)
        >>> outputs.shape, len(states)
        ((2, 3, 4), 2)
        """
        self.reset()
        inputs, axis, F, size = _format_sequence(length, inputs, layout, False)
        states = _get_begin_state(self, F, begin_state, inputs, size)
        outputs, history = [], []
        for step in inputs[:length]:
            output, states = self(step, states)
            outputs.append(output)
            history.append(states)
        if valid_length is not None:
            states = [
                F.SequenceLast(
                    F.stack(*steps, axis=0),
                    sequence_length=valid_length,
                    use_sequence_length=True,
                    axis=0,
                )
                for steps in zip(*history, strict=True)
            ]
            outputs = _mask_sequence_variable_length(F, outputs, length, valid_length, axis, True)
        outputs, _, _, _ = _format_sequence(length, outputs, layout, merge_outputs)
        return outputs, states

    def _get_activation(self, F: Any, inputs: Any, activation: Any, **kwargs: Any) -> Any:
        """An activation by name, as a Block or as a function."""
        if activation in ("tanh", "relu", "sigmoid", "softsign"):
            return getattr(F, activation)(inputs, **kwargs)
        if isinstance(activation, str):
            return F.Activation(inputs, act_type=activation, **kwargs)
        if isinstance(activation, LeakyReLU):
            return F.LeakyReLU(inputs, act_type="leaky", slope=activation._alpha, **kwargs)
        return activation(inputs, **kwargs)

    def forward(self, inputs: Any, states: list) -> Any:
        """One step."""
        self._counter += 1
        return super().forward(inputs, states)


class HybridRecurrentCell(RecurrentCell, HybridBlock):
    """A recurrent cell that runs eagerly, draws Symbols or runs compiled.

    >>> class Sum(mx.gluon.rnn.HybridRecurrentCell):
    ...     def state_info(self, batch_size=0):
    ...         return [{"shape": (batch_size, 2), "__layout__": "NC"}]
    ...     def hybrid_forward(self, F, x, states):
    ...         total = x + states[0]
    ...         return total, [total]
    >>> outputs, _ = Sum().unroll(3, mx.nd.ones((1, 3, 2)), merge_outputs=True)
    >>> outputs.asnumpy()[0, :, 0]
    array([1., 2., 3.], dtype=float32)
    """

    def __init__(self, prefix: str | None = None, params: Any = None) -> None:
        super().__init__(prefix=prefix, params=params)

    def hybrid_forward(self, F: Any, x: Any, *args: Any, **kwargs: Any) -> Any:
        """One step; subclasses define it."""
        raise NotImplementedError(f"{type(self).__name__} defines no hybrid_forward")
