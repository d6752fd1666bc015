"""The elementary cells: RNN, LSTM and GRU."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from .. import initializer, symbol
from ..symbol import Symbol
from ._base import BaseRNNCell, RNNParams

Act = Callable[..., Symbol]


def lstm_gates(
    gates: Symbol, memory: Symbol, name: str, act: Act, **slicing: Any
) -> tuple[Symbol, list[Symbol]]:
    """One LSTM step from the sum of both products, in order i, f, c, o."""
    parts = symbol.SliceChannel(gates, num_outputs=4, name=f"{name}slice", **slicing)
    i = symbol.Activation(parts[0], act_type="sigmoid", name=f"{name}i")
    f = symbol.Activation(parts[1], act_type="sigmoid", name=f"{name}f")
    c = act(parts[2], name=f"{name}c")
    o = symbol.Activation(parts[3], act_type="sigmoid", name=f"{name}o")
    kept, added = f * memory, i * c
    memory = symbol.elemwise_add(kept, added, name=f"{name}state")
    output = symbol.elemwise_mul(o, act(memory), name=f"{name}out")
    return output, [output, memory]


def gru_gates(
    i2h: Symbol, h2h: Symbol, before: Symbol, name: str, act: Act
) -> tuple[Symbol, list[Symbol]]:
    """One GRU step from both products, in order r, z, o; reset comes after the product."""
    i2h_r, i2h_z, i2h_o = symbol.SliceChannel(i2h, num_outputs=3, name=f"{name}_i2h_slice")
    h2h_r, h2h_z, h2h_o = symbol.SliceChannel(h2h, num_outputs=3, name=f"{name}_h2h_slice")
    reset = symbol.Activation(i2h_r + h2h_r, act_type="sigmoid", name=f"{name}_r_act")
    update = symbol.Activation(i2h_z + h2h_z, act_type="sigmoid", name=f"{name}_z_act")
    candidate = act(i2h_o + reset * h2h_o, name=f"{name}_h_act")
    fresh = (1.0 - update) * candidate
    output = symbol.elemwise_add(fresh, update * before, name=f"{name}out")
    return output, [output]


class _Gated(BaseRNNCell):
    """A cell of two affine products, each with some rows a hidden unit."""

    def __init__(
        self, num_hidden: int, prefix: str, params: RNNParams | None, bias_init: Any = None
    ) -> None:
        super().__init__(prefix=prefix, params=params)
        self._num_hidden = num_hidden
        self._iW = self._params.get("i2h_weight")
        self._iB = self._params.get("i2h_bias", init=bias_init)
        self._hW = self._params.get("h2h_weight")
        self._hB = self._params.get("h2h_bias")

    @property
    def state_info(self) -> list[dict[str, Any]]:
        """One state (N, num_hidden)."""
        return [{"shape": (0, self._num_hidden), "__layout__": "NC"}]

    def _product(self, which: str, data: Symbol, name: str) -> Symbol:
        """``i2h`` of the inputs or ``h2h`` of the last output."""
        weight, bias = (self._iW, self._iB) if which == "i2h" else (self._hW, self._hB)
        rows = self._num_hidden * len(self._gate_names)
        return symbol.FullyConnected(
            data=data, weight=weight, bias=bias, num_hidden=rows, name=f"{name}{which}"
        )

    def _tanh(self, data: Symbol, **kwargs: Any) -> Symbol:
        return symbol.Activation(data, act_type="tanh", **kwargs)


class RNNCell(_Gated):
    """Elman's cell: ``h' = activation(W x + b + R h + c)``.

    >>> cell = mx.rnn.RNNCell(4, prefix="rnn_")
    >>> outputs, states = cell.unroll(3, mx.sym.var("data"), merge_outputs=True)
    >>> outputs.infer_shape(data=(2, 3, 5))[1]
    [(2, 3, 4)]
    """

    def __init__(
        self,
        num_hidden: int,
        activation: Any = "tanh",
        prefix: str = "rnn_",
        params: RNNParams | None = None,
    ) -> None:
        super().__init__(num_hidden, prefix, params)
        self._activation = activation

    @property
    def _gate_names(self) -> Sequence[str]:
        return ("",)

    def __call__(self, inputs: Symbol, states: Sequence[Symbol]) -> tuple[Symbol, list[Symbol]]:
        """One step."""
        name = self._next_name()
        i2h, h2h = self._product("i2h", inputs, name), self._product("h2h", states[0], name)
        output = self._get_activation(i2h + h2h, self._activation, name=f"{name}out")
        return output, [output]


class LSTMCell(_Gated):
    """Long short-term memory (Hochreiter and Schmidhuber, 1997); states: output and memory.

    forget_bias : first value of the forget gate's bias.
    """

    def __init__(
        self,
        num_hidden: int,
        prefix: str = "lstm_",
        params: RNNParams | None = None,
        forget_bias: float = 1.0,
    ) -> None:
        bias_init = initializer.LSTMBias(forget_bias=forget_bias)
        super().__init__(num_hidden, prefix, params, bias_init)

    @property
    def state_info(self) -> list[dict[str, Any]]:
        """Output and memory, both (N, num_hidden)."""
        return super().state_info + super().state_info

    @property
    def _gate_names(self) -> Sequence[str]:
        return ["_i", "_f", "_c", "_o"]

    def __call__(self, inputs: Symbol, states: Sequence[Symbol]) -> tuple[Symbol, list[Symbol]]:
        """One step."""
        name = self._next_name()
        i2h, h2h = self._product("i2h", inputs, name), self._product("h2h", states[0], name)
        return lstm_gates(i2h + h2h, states[1], name, self._tanh)


class GRUCell(_Gated):
    """Gated recurrent unit (Cho et al., 2014), its reset gate applied after the product."""

    def __init__(
        self, num_hidden: int, prefix: str = "gru_", params: RNNParams | None = None
    ) -> None:
        super().__init__(num_hidden, prefix, params)

    @property
    def _gate_names(self) -> Sequence[str]:
        return ["_r", "_z", "_o"]

    def __call__(self, inputs: Symbol, states: Sequence[Symbol]) -> tuple[Symbol, list[Symbol]]:
        """One step."""
        name = self._next_name()
        i2h = self._product("i2h", inputs, f"{name}_")
        h2h = self._product("h2h", states[0], f"{name}_")
        return gru_gates(i2h, h2h, states[0], name, self._tanh)
