"""`FusedRNNCell`: whole sequences and stacks by the RNN operator."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from .. import initializer, symbol
from .. import ndarray as nd
from ..base import MXNetError
from ..ndarray import NDArray
from ..symbol import Symbol
from ._base import BaseRNNCell, RNNParams, Sequence_, Weights, normalize_sequence
from ._cells import GRUCell, LSTMCell, RNNCell
from ._stacks import BidirectionalCell, DropoutCell, SequentialRNNCell

_GATES = {
    "rnn_relu": ("",),
    "rnn_tanh": ("",),
    "lstm": ["_i", "_f", "_c", "_o"],
    "gru": ["_r", "_z", "_o"],
}


class FusedRNNCell(BaseRNNCell):
    """Layers of cells as one operator with one vector of parameters.

    num_hidden, num_layers : size of the states, number of layers.
    mode           : "rnn_relu", "rnn_tanh", "lstm" or "gru".
    bidirectional  : run each layer in both directions.
    dropout        : on the outputs of all layers but the last.
    get_next_state : whether `unroll` returns the last states.
    forget_bias    : first value of the forget gates' bias.

    >>> cell = mx.rnn.FusedRNNCell(4, num_layers=2, mode="gru", prefix="gru_")
    >>> outputs, _ = cell.unroll(3, mx.sym.var("data"), merge_outputs=True)
    >>> outputs.infer_shape(data=(2, 3, 5))[1]
    [(2, 3, 4)]
    """

    def __init__(
        self,
        num_hidden: int,
        num_layers: int = 1,
        mode: str = "lstm",
        bidirectional: bool = False,
        dropout: float = 0.0,
        get_next_state: bool = False,
        forget_bias: float = 1.0,
        prefix: str | None = None,
        params: RNNParams | None = None,
    ) -> None:
        if mode not in _GATES:
            raise MXNetError(f"RNN mode must be one of {', '.join(_GATES)}, got {mode!r}")
        super().__init__(prefix=f"{mode}_" if prefix is None else prefix, params=params)
        self._num_hidden = num_hidden
        self._num_layers = num_layers
        self._mode = mode
        self._bidirectional = bidirectional
        self._dropout = dropout
        self._get_next_state = get_next_state
        self._forget_bias = forget_bias
        self._directions = ["l", "r"] if bidirectional else ["l"]
        first = initializer.FusedRNN(None, num_hidden, num_layers, mode, bidirectional, forget_bias)
        self._parameter = self._params.get("parameters", init=first)

    @property
    def state_info(self) -> list[dict[str, Any]]:
        """States of all layers and directions, (L, N, num_hidden)."""
        depth = len(self._directions) * self._num_layers
        info = {"shape": (depth, 0, self._num_hidden), "__layout__": "LNC"}
        return [dict(info) for _ in range(2 if self._mode == "lstm" else 1)]

    @property
    def _gate_names(self) -> Sequence[str]:
        return _GATES[self._mode]

    @property
    def _num_gates(self) -> int:
        return len(self._gate_names)

    def _layout(self, size: int) -> Iterator[tuple[str, int, tuple[int, ...]]]:
        """(name, offset, shape) of each gate's matrices and biases in a vector of this size."""
        hidden, both = self._num_hidden, len(self._directions)
        rows = both * self._num_gates * hidden
        deep = (self._num_layers - 1) * rows * (both * hidden + hidden + 2)
        inputs, rest = divmod(size - deep, rows)
        inputs -= hidden + 2
        if rest or inputs <= 0:
            raise MXNetError(f"{self._prefix}parameters: {size} elements fit no input size")
        offset = 0
        for kind in ("weight", "bias"):
            for layer in range(self._num_layers):
                below = both * hidden if layer else inputs
                for direction in self._directions:
                    for group, columns in (("i2h", below), ("h2h", hidden)):
                        for gate in self._gate_names:
                            name = f"{self._prefix}{direction}{layer}_{group}{gate}_{kind}"
                            shape = (hidden, columns) if kind == "weight" else (hidden,)
                            yield name, offset, shape
                            offset += hidden * (columns if kind == "weight" else 1)

    def unpack_weights(self, args: Mapping[str, NDArray]) -> Weights:
        """Arrays by name with the vector split into each gate's matrices and biases."""
        args = dict(args)
        packed = args.pop(f"{self._prefix}parameters")
        for name, offset, shape in self._layout(packed.size):
            stop = offset + nd.zeros(shape).size
            args[name] = packed[offset:stop].reshape(shape).copy()
        return args

    def pack_weights(self, args: Mapping[str, NDArray]) -> Weights:
        """The opposite of `unpack_weights`."""
        args = dict(args)
        first = args[f"{self._prefix}l0_i2h{self._gate_names[0]}_weight"]
        hidden, both = self._num_hidden, len(self._directions)
        rows = both * self._num_gates * hidden
        size = rows * (first.shape[1] + hidden + 2)
        size += (self._num_layers - 1) * rows * (both * hidden + hidden + 2)
        packed = nd.zeros((size,), ctx=first.context, dtype=first.dtype)
        for name, offset, _shape in self._layout(size):
            part = args.pop(name)
            packed[offset : offset + part.size] = part.reshape((-1,))
        args[f"{self._prefix}parameters"] = packed
        return args

    def __call__(self, inputs: Symbol, states: Sequence[Symbol]) -> tuple[Any, list[Symbol]]:
        """The operator takes whole sequences: NotImplementedError."""
        raise NotImplementedError("FusedRNNCell cannot be stepped. Please use unroll")

    def unroll(
        self,
        length: int,
        inputs: Sequence_,
        begin_state: Sequence[Symbol] | None = None,
        layout: str = "NTC",
        merge_outputs: bool | None = None,
    ) -> tuple[Sequence_, list[Symbol]]:
        """The operator over the sequence; it works in TNC, so other layouts are swapped."""
        self.reset()
        inputs, axis = normalize_sequence(length, inputs, layout, merge=True)
        if axis == 1:
            inputs = symbol.swapaxes(inputs, dim1=0, dim2=1)
        states = self.begin_state() if begin_state is None else begin_state
        named = {"state": states[0]}
        if self._mode == "lstm":
            named["state_cell"] = states[1]
        made = symbol.RNN(
            data=inputs,
            parameters=self._parameter,
            state_size=self._num_hidden,
            num_layers=self._num_layers,
            bidirectional=self._bidirectional,
            p=self._dropout,
            state_outputs=self._get_next_state,
            mode=self._mode,
            name=f"{self._prefix}rnn",
            **named,
        )
        following = []
        if self._get_next_state:
            following = [made[1], made[2]] if self._mode == "lstm" else [made[1]]
            for state in following:
                state._set_attr(__layout__="LNC")
        outputs = made[0]
        if axis == 1:
            outputs = symbol.swapaxes(outputs, dim1=0, dim2=1)
        outputs, _ = normalize_sequence(length, outputs, layout, merge_outputs)
        return outputs, following

    def unfuse(self) -> SequentialRNNCell:
        """The same network of single cells; `unpack_weights` of one and `pack_weights` convert."""
        stack = SequentialRNNCell()
        for layer in range(self._num_layers):
            made = [self._single(f"{self._prefix}{d}{layer}_") for d in self._directions]
            if self._bidirectional:
                prefix = f"{self._prefix}bi_l{layer}_"
                stack.add(BidirectionalCell(*made, output_prefix=prefix))
            else:
                stack.add(made[0])
            if self._dropout > 0 and layer + 1 < self._num_layers:
                stack.add(DropoutCell(self._dropout, prefix=f"{self._prefix}_dropout{layer}_"))
        return stack

    def _single(self, prefix: str) -> BaseRNNCell:
        if self._mode == "lstm":
            return LSTMCell(self._num_hidden, prefix=prefix)
        if self._mode == "gru":
            return GRUCell(self._num_hidden, prefix=prefix)
        return RNNCell(self._num_hidden, self._mode.removeprefix("rnn_"), prefix=prefix)
