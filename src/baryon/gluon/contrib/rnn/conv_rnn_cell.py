"""Recurrent cells whose products are convolutions (Shi et al., 2015)."""

from __future__ import annotations

from typing import Any

from ...rnn.rnn_cell import HybridRecurrentCell
from ...utils import ArgumentError

__all__ = [
    "Conv1DGRUCell",
    "Conv1DLSTMCell",
    "Conv1DRNNCell",
    "Conv2DGRUCell",
    "Conv2DLSTMCell",
    "Conv2DRNNCell",
    "Conv3DGRUCell",
    "Conv3DLSTMCell",
    "Conv3DRNNCell",
]


def _sizes(value: Any, axes: int) -> tuple[int, ...]:
    """One number for each spatial axis."""
    if isinstance(value, int):
        return (value,) * axes
    if len(value) != axes:
        raise ArgumentError(
            f"For {axes}D convolution, the convolution settings can only be either int or "
            f"list/tuple of length {axes}"
        )
    return tuple(value)


class _ConvCell(HybridRecurrentCell):
    """What all cells share: two convolutions that make `_gates` maps for each hidden channel."""

    _gates = 1
    _states = 1
    _axes = 1

    def __init__(
        self,
        input_shape: tuple[int, ...],
        hidden_channels: int,
        i2h_kernel: Any,
        h2h_kernel: Any,
        i2h_pad: Any = 0,
        i2h_dilate: Any = 1,
        h2h_dilate: Any = 1,
        i2h_weight_initializer: Any = None,
        h2h_weight_initializer: Any = None,
        i2h_bias_initializer: Any = "zeros",
        h2h_bias_initializer: Any = "zeros",
        conv_layout: str = "",
        activation: Any = "tanh",
        prefix: str | None = None,
        params: Any = None,
    ) -> None:
        super().__init__(prefix=prefix, params=params)
        axes = self._axes
        self._input_shape, self._hidden_channels = tuple(input_shape), hidden_channels
        self._conv_layout, self._activation = conv_layout, activation
        kernels = _sizes(i2h_kernel, axes), _sizes(h2h_kernel, axes)
        dilates = _sizes(i2h_dilate, axes), _sizes(h2h_dilate, axes)
        if any(k % 2 == 0 for k in kernels[1]):
            raise ArgumentError(f"Only support odd number, get h2h_kernel= {h2h_kernel}")
        same = tuple(d * (k - 1) // 2 for k, d in zip(kernels[1], dilates[1], strict=True))
        pads = _sizes(i2h_pad, axes), same
        rows = self._gates * hidden_channels
        self._convs = [
            {
                "num_filter": rows,
                "kernel": kernel,
                "stride": (1,) * axes,
                "pad": pad,
                "dilate": dilate,
                "layout": conv_layout,
            }
            for kernel, pad, dilate in zip(kernels, pads, dilates, strict=True)
        ]
        last = conv_layout.endswith("C")
        channels = self._input_shape[-1 if last else 0]
        spatial = self._input_shape[:-1] if last else self._input_shape[1:]
        spatial = tuple(
            n + 2 * p - d * (k - 1)
            for n, p, d, k in zip(spatial, pads[0], dilates[0], kernels[0], strict=True)
        )
        self._state_shape = (*spatial, hidden_channels) if last else (hidden_channels, *spatial)
        inits = i2h_weight_initializer, h2h_weight_initializer
        for name, count, kernel, init in zip(
            ("i2h_weight", "h2h_weight"), (channels, hidden_channels), kernels, inits, strict=True
        ):
            shape = (rows, *kernel, count) if last else (rows, count, *kernel)
            param = self.params.get(name, shape=shape, init=init, allow_deferred_init=True)
            setattr(self, name, param)
        for name, init in (
            ("i2h_bias", i2h_bias_initializer),
            ("h2h_bias", h2h_bias_initializer),
        ):
            param = self.params.get(name, shape=(rows,), init=init, allow_deferred_init=True)
            setattr(self, name, param)

    def __repr__(self) -> str:
        rows = self.i2h_weight.shape[0]
        channels = self.i2h_weight.shape[-1 if self._conv_layout.endswith("C") else 1]
        facts = f"{channels} -> {rows}, {self._activation}, {self._conv_layout}"
        return f"{type(self).__name__}({facts})"

    def state_info(self, batch_size: int = 0) -> list[dict]:
        """States of the output's size."""
        shape = (batch_size, *self._state_shape)
        return [{"shape": shape, "__layout__": self._conv_layout} for _ in range(self._states)]

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
        convs = self._convs
        i2h = F.Convolution(inputs, i2h_weight, i2h_bias, name=prefix + "i2h", **convs[0])
        h2h = F.Convolution(states[0], h2h_weight, h2h_bias, name=prefix + "h2h", **convs[1])
        return self._step(F, prefix, i2h, h2h, states)

    def _split(self, F: Any, maps: Any, name: str) -> Any:
        """The maps of each gate."""
        axis = self._conv_layout.find("C")
        return F.SliceChannel(maps, num_outputs=self._gates, axis=axis, name=name)


class _ConvRNN(_ConvCell):
    """``h' = activation(W * x + b + R * h + c)``, the products being convolutions."""

    def _alias(self) -> str:
        return "conv_rnn"

    def _step(self, F: Any, prefix: str, i2h: Any, h2h: Any, states: list) -> Any:
        output = self._get_activation(F, i2h + h2h, self._activation, name=prefix + "out")
        return output, [output]


class _ConvLSTM(_ConvCell):
    """Long short-term memory of maps; gates in order i, f, c, o."""

    _gates, _states = 4, 2

    def _alias(self) -> str:
        return "conv_lstm"

    def _step(self, F: Any, prefix: str, i2h: Any, h2h: Any, states: list) -> Any:
        i, f, c, o = self._split(F, i2h + h2h, prefix + "slice")
        i, f, o = (
            F.Activation(gate, act_type="sigmoid", name=prefix + name)
            for name, gate in (("i", i), ("f", f), ("o", o))
        )
        c = self._get_activation(F, c, self._activation, name=prefix + "c")
        memory = F.elemwise_add(f * states[1], i * c, name=prefix + "state")
        shown = self._get_activation(F, memory, self._activation)
        output = F.elemwise_mul(o, shown, name=prefix + "out")
        return output, [output, memory]


class _ConvGRU(_ConvCell):
    """Gated recurrent unit of maps; gates in order r, z, h."""

    _gates = 3

    def _alias(self) -> str:
        return "conv_gru"

    def _step(self, F: Any, prefix: str, i2h: Any, h2h: Any, states: list) -> Any:
        i2h_r, i2h_z, i2h_h = self._split(F, i2h, prefix + "i2h_slice")
        h2h_r, h2h_z, h2h_h = self._split(F, h2h, prefix + "h2h_slice")
        reset = F.Activation(i2h_r + h2h_r, act_type="sigmoid", name=prefix + "r_act")
        update = F.Activation(i2h_z + h2h_z, act_type="sigmoid", name=prefix + "z_act")
        new = i2h_h + reset * h2h_h
        new = self._get_activation(F, new, self._activation, name=prefix + "h_act")
        output = F.elemwise_add((1.0 - update) * new, update * states[0], name=prefix + "out")
        return output, [output]


def _cell(axes: int, kind: str, base: type[_ConvCell], layout: str) -> type[_ConvCell]:
    """The class of cells over so many spatial axes."""

    class Cell(base):
        _axes = axes

        def __init__(
            self,
            input_shape: tuple[int, ...],
            hidden_channels: int,
            i2h_kernel: Any,
            h2h_kernel: Any,
            i2h_pad: Any = (0,) * axes,
            i2h_dilate: Any = (1,) * axes,
            h2h_dilate: Any = (1,) * axes,
            i2h_weight_initializer: Any = None,
            h2h_weight_initializer: Any = None,
            i2h_bias_initializer: Any = "zeros",
            h2h_bias_initializer: Any = "zeros",
            conv_layout: str = layout,
            activation: Any = "tanh",
            prefix: str | None = None,
            params: Any = None,
        ) -> None:
            super().__init__(
                input_shape,
                hidden_channels,
                i2h_kernel,
                h2h_kernel,
                i2h_pad,
                i2h_dilate,
                h2h_dilate,
                i2h_weight_initializer,
                h2h_weight_initializer,
                i2h_bias_initializer,
                h2h_bias_initializer,
                conv_layout,
                activation,
                prefix,
                params,
            )

    size = ", ".join(["5"] * axes)
    inside = ", ".join(["3"] * axes)
    Cell.__name__ = Cell.__qualname__ = f"Conv{axes}D{kind}Cell"
    Cell.__doc__ = f"""{kind} cell whose products are {axes}-d convolutions.

    input_shape     : shape of one sample's step, channels included.
    hidden_channels : channels of the output.
    i2h_kernel, i2h_pad, i2h_dilate : convolution of the input.
    h2h_kernel, h2h_dilate : convolution of the state, which keeps its size; odd kernels only.
    activation      : of the new content.

    >>> cell = mx.gluon.contrib.rnn.{Cell.__name__}((3, {size}), 4, i2h_kernel=3, h2h_kernel=3)
    >>> cell.initialize()
    >>> cell(mx.nd.ones((2, 3, {size})), cell.begin_state(2))[0].shape
    (2, 4, {inside})
    """
    return Cell


Conv1DRNNCell = _cell(1, "RNN", _ConvRNN, "NCW")
Conv2DRNNCell = _cell(2, "RNN", _ConvRNN, "NCHW")
Conv3DRNNCell = _cell(3, "RNN", _ConvRNN, "NCDHW")
Conv1DLSTMCell = _cell(1, "LSTM", _ConvLSTM, "NCW")
Conv2DLSTMCell = _cell(2, "LSTM", _ConvLSTM, "NCHW")
Conv3DLSTMCell = _cell(3, "LSTM", _ConvLSTM, "NCDHW")
Conv1DGRUCell = _cell(1, "GRU", _ConvGRU, "NCW")
Conv2DGRUCell = _cell(2, "GRU", _ConvGRU, "NCHW")
Conv3DGRUCell = _cell(3, "GRU", _ConvGRU, "NCDHW")
