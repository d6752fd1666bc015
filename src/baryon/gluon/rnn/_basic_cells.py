"""The elementary cells: RNN, LSTM and GRU."""

from __future__ import annotations

from typing import Any

from ._cell import HybridRecurrentCell


class _GatedCell(HybridRecurrentCell):
    """A cell with an input and a recurrent product, `_gates` rows for each hidden unit."""

    _gates = 1

    def __init__(
        self,
        hidden_size: int,
        i2h_weight_initializer: Any = None,
        h2h_weight_initializer: Any = None,
        i2h_bias_initializer: Any = "zeros",
        h2h_bias_initializer: Any = "zeros",
        input_size: int = 0,
        prefix: str | None = None,
        params: Any = None,
    ) -> None:
        super().__init__(prefix=prefix, params=params)
        self._hidden_size = hidden_size
        self._input_size = input_size
        rows = self._gates * hidden_size
        for name, shape, init in (
            ("i2h_weight", (rows, input_size), i2h_weight_initializer),
            ("h2h_weight", (rows, hidden_size), h2h_weight_initializer),
            ("i2h_bias", (rows,), i2h_bias_initializer),
            ("h2h_bias", (rows,), h2h_bias_initializer),
        ):
            param = self.params.get(name, shape=shape, init=init, allow_deferred_init=True)
            setattr(self, name, param)

    def state_info(self, batch_size: int = 0) -> list[dict]:
        """One state (N, hidden_size)."""
        return [{"shape": (batch_size, self._hidden_size), "__layout__": "NC"}]

    def __repr__(self) -> str:
        rows, inputs = self.i2h_weight.shape
        return f"{type(self).__name__}({inputs or None} -> {rows})"

    def _products(self, F: Any, inputs: Any, state: Any, params: tuple, prefix: str) -> tuple:
        """Input and recurrent products of one step."""
        i2h_weight, h2h_weight, i2h_bias, h2h_bias = params
        rows = self._gates * self._hidden_size
        return (
            F.FullyConnected(inputs, i2h_weight, i2h_bias, num_hidden=rows, name=prefix + "i2h"),
            F.FullyConnected(state, h2h_weight, h2h_bias, num_hidden=rows, name=prefix + "h2h"),
        )


class RNNCell(_GatedCell):
    """Elman's cell: ``h' = activation(W x + b + R h + c)``.

    >>> cell = mx.gluon.rnn.RNNCell(4)
    >>> cell.initialize()
    >>> output, states = cell(mx.nd.ones((2, 3)), cell.begin_state(2))
    >>> output.shape
    (2, 4)
    """

    def __init__(
        self,
        hidden_size: int,
        activation: Any = "tanh",
        i2h_weight_initializer: Any = None,
        h2h_weight_initializer: Any = None,
        i2h_bias_initializer: Any = "zeros",
        h2h_bias_initializer: Any = "zeros",
        input_size: int = 0,
        prefix: str | None = None,
        params: Any = None,
    ) -> None:
        super().__init__(
            hidden_size,
            i2h_weight_initializer,
            h2h_weight_initializer,
            i2h_bias_initializer,
            h2h_bias_initializer,
            input_size,
            prefix,
            params,
        )
        self._activation = activation

    def _alias(self) -> str:
        return "rnn"

    def __repr__(self) -> str:
        text = super().__repr__()
        return f"{text[:-1]}, {self._activation})" if self._activation is not None else text

    def hybrid_forward(
        self,
        F: Any,
        inputs: Any,
        states: list,
        i2h_weight: Any,
        h2h_weight: Any,
        i2h_bias: Any,
        h2h_bias: Any,
    ) -> Any:
        """One step."""
        prefix = f"t{self._counter}_"
        params = (i2h_weight, h2h_weight, i2h_bias, h2h_bias)
        i2h, h2h = self._products(F, inputs, states[0], params, prefix)
        total = F.elemwise_add(i2h, h2h, name=prefix + "plus0")
        output = self._get_activation(F, total, self._activation, name=prefix + "out")
        return output, [output]


class LSTMCell(_GatedCell):
    """Long short-term memory (Hochreiter and Schmidhuber, 1997); gates in order i, f, c, o.

    activation           : of the cell's input and output.
    recurrent_activation : of the gates.

    >>> cell = mx.gluon.rnn.LSTMCell(4)
    >>> cell.initialize()
    >>> output, (h, c) = cell(mx.nd.ones((2, 3)), cell.begin_state(2))
    >>> output.shape, c.shape
    ((2, 4), (2, 4))
    """

    _gates = 4

    def __init__(
        self,
        hidden_size: int,
        i2h_weight_initializer: Any = None,
        h2h_weight_initializer: Any = None,
        i2h_bias_initializer: Any = "zeros",
        h2h_bias_initializer: Any = "zeros",
        input_size: int = 0,
        prefix: str | None = None,
        params: Any = None,
        activation: Any = "tanh",
        recurrent_activation: Any = "sigmoid",
    ) -> None:
        super().__init__(
            hidden_size,
            i2h_weight_initializer,
            h2h_weight_initializer,
            i2h_bias_initializer,
            h2h_bias_initializer,
            input_size,
            prefix,
            params,
        )
        self._activation = activation
        self._recurrent_activation = recurrent_activation

    def _alias(self) -> str:
        return "lstm"

    def state_info(self, batch_size: int = 0) -> list[dict]:
        """Output and memory, both (N, hidden_size)."""
        return super().state_info(batch_size) + super().state_info(batch_size)

    def hybrid_forward(
        self,
        F: Any,
        inputs: Any,
        states: list,
        i2h_weight: Any,
        h2h_weight: Any,
        i2h_bias: Any,
        h2h_bias: Any,
    ) -> Any:
        """One step."""
        prefix = f"t{self._counter}_"
        params = (i2h_weight, h2h_weight, i2h_bias, h2h_bias)
        i2h, h2h = self._products(F, inputs, states[0], params, prefix)
        gates = F.elemwise_add(i2h, h2h, name=prefix + "plus0")
        parts = F.SliceChannel(gates, num_outputs=4, name=prefix + "slice")
        i, f, c, o = (
            self._get_activation(F, part, kind, name=prefix + name)
            for part, kind, name in zip(
                parts,
                (self._recurrent_activation,) * 2 + (self._activation, self._recurrent_activation),
                "ifco",
                strict=True,
            )
        )
        kept = F.elemwise_mul(f, states[1], name=prefix + "mul0")
        added = F.elemwise_mul(i, c, name=prefix + "mul1")
        memory = F.elemwise_add(kept, added, name=prefix + "state")
        squashed = F.Activation(memory, act_type=self._activation, name=prefix + "activation0")
        output = F.elemwise_mul(o, squashed, name=prefix + "out")
        return output, [output, memory]


class GRUCell(_GatedCell):
    """Gated recurrent unit (Cho et al., 2014); gates in order r, z, n.

    The reset gate is applied after the recurrent product.

    >>> cell = mx.gluon.rnn.GRUCell(4)
    >>> cell.initialize()
    >>> output, states = cell(mx.nd.ones((2, 3)), cell.begin_state(2))
    >>> output.shape
    (2, 4)
    """

    _gates = 3

    def _alias(self) -> str:
        return "gru"

    def hybrid_forward(
        self,
        F: Any,
        inputs: Any,
        states: list,
        i2h_weight: Any,
        h2h_weight: Any,
        i2h_bias: Any,
        h2h_bias: Any,
    ) -> Any:
        """One step."""
        prefix = f"t{self._counter}_"
        params = (i2h_weight, h2h_weight, i2h_bias, h2h_bias)
        before = states[0]
        i2h, h2h = self._products(F, inputs, before, params, prefix)
        i2h_r, i2h_z, i2h_n = F.SliceChannel(i2h, num_outputs=3, name=prefix + "i2h_slice")
        h2h_r, h2h_z, h2h_n = F.SliceChannel(h2h, num_outputs=3, name=prefix + "h2h_slice")
        reset = F.Activation(
            F.elemwise_add(i2h_r, h2h_r, name=prefix + "plus0"),
            act_type="sigmoid",
            name=prefix + "r_act",
        )
        update = F.Activation(
            F.elemwise_add(i2h_z, h2h_z, name=prefix + "plus1"),
            act_type="sigmoid",
            name=prefix + "z_act",
        )
        recurrent = F.elemwise_mul(reset, h2h_n, name=prefix + "mul0")
        candidate = F.Activation(
            F.elemwise_add(i2h_n, recurrent, name=prefix + "plus2"),
            act_type="tanh",
            name=prefix + "h_act",
        )
        ones = F.ones_like(update, name=prefix + "ones_like0")
        fresh = F.elemwise_sub(ones, update, name=prefix + "minus0")
        new = F.elemwise_mul(fresh, candidate, name=prefix + "mul1")
        old = F.elemwise_mul(update, before, name=prefix + "mul20")
        output = F.elemwise_add(new, old, name=prefix + "out")
        return output, [output]
