"""Convolutional cells: images as inputs and states (Shi et al., 2015)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

from .. import symbol
from ..symbol import Symbol
from ._base import BaseRNNCell, RNNParams
from ._cells import gru_gates, lstm_gates

_leaky = partial(symbol.LeakyReLU, act_type="leaky", slope=0.2)
Pair = Sequence[int]


class BaseConvRNNCell(BaseRNNCell):
    """A cell whose products are convolutions.

    input_shape : of the inputs, the batch axis included (its size does not matter).
    num_hidden  : channels of output and state.
    h2h_kernel, h2h_dilate : window of the recurrent convolution; odd, so that sizes stay.
    i2h_kernel, i2h_stride, i2h_pad, i2h_dilate : window of the convolution of the inputs.
    *_initializer : first values of the parameters.
    activation  : a name, or a function of a symbol.
    """

    def __init__(
        self,
        input_shape: Sequence[int],
        num_hidden: int,
        h2h_kernel: Pair,
        h2h_dilate: Pair,
        i2h_kernel: Pair,
        i2h_stride: Pair,
        i2h_pad: Pair,
        i2h_dilate: Pair,
        i2h_weight_initializer: Any,
        h2h_weight_initializer: Any,
        i2h_bias_initializer: Any,
        h2h_bias_initializer: Any,
        activation: Any,
        prefix: str = "",
        params: RNNParams | None = None,
        conv_layout: str = "NCHW",
    ) -> None:
        super().__init__(prefix=prefix, params=params)
        if any(size % 2 == 0 for size in h2h_kernel):
            raise AssertionError(f"Only support odd number, get h2h_kernel= {h2h_kernel}")
        pad = tuple(d * (k - 1) // 2 for k, d in zip(h2h_kernel, h2h_dilate, strict=True))
        self._num_hidden = num_hidden
        self._activation = activation
        self._layout = conv_layout
        self._windows = {
            "i2h": {"kernel": i2h_kernel, "stride": i2h_stride, "pad": i2h_pad,
                    "dilate": i2h_dilate},
            "h2h": {"kernel": h2h_kernel, "stride": (1,) * len(pad), "pad": pad,
                    "dilate": h2h_dilate},
        }  # fmt: skip
        given = symbol.Convolution(
            symbol.var("data"), num_filter=num_hidden, layout=conv_layout, **self._windows["i2h"]
        )
        self._state_shape = (0, *given.infer_shape_partial(data=tuple(input_shape))[1][0][1:])
        self._iW = self._params.get("i2h_weight", init=i2h_weight_initializer)
        self._hW = self._params.get("h2h_weight", init=h2h_weight_initializer)
        self._iB = self._params.get("i2h_bias", init=i2h_bias_initializer)
        self._hB = self._params.get("h2h_bias", init=h2h_bias_initializer)

    @property
    def state_info(self) -> list[dict[str, Any]]:
        """One state of the output's shape."""
        return [{"shape": self._state_shape, "__layout__": self._layout}]

    def __call__(self, inputs: Symbol, states: Sequence[Symbol]) -> tuple[Any, list[Symbol]]:
        """One step."""
        raise NotImplementedError("BaseConvRNNCell is abstract class for convolutional RNN")

    def _product(self, which: str, data: Symbol, name: str) -> Symbol:
        """``i2h`` of the inputs or ``h2h`` of the last output."""
        weight, bias = (self._iW, self._iB) if which == "i2h" else (self._hW, self._hB)
        return symbol.Convolution(
            data=data,
            weight=weight,
            bias=bias,
            num_filter=self._num_hidden * len(self._gate_names),
            layout=self._layout,
            name=f"{name}{which}",
            **self._windows[which],
        )

    def _act(self, data: Symbol, **kwargs: Any) -> Symbol:
        return self._get_activation(data, self._activation, **kwargs)


def _defaults(kind: str) -> Callable[[type], type]:
    """Give a cell the constructor of all three, with its own default prefix."""

    def decorate(cls: type[BaseConvRNNCell]) -> type[BaseConvRNNCell]:
        def __init__(
            self: BaseConvRNNCell,
            input_shape: Sequence[int],
            num_hidden: int,
            h2h_kernel: Pair = (3, 3),
            h2h_dilate: Pair = (1, 1),
            i2h_kernel: Pair = (3, 3),
            i2h_stride: Pair = (1, 1),
            i2h_pad: Pair = (1, 1),
            i2h_dilate: Pair = (1, 1),
            i2h_weight_initializer: Any = None,
            h2h_weight_initializer: Any = None,
            i2h_bias_initializer: Any = "zeros",
            h2h_bias_initializer: Any = "zeros",
            activation: Any = _leaky,
            prefix: str = kind,
            params: RNNParams | None = None,
            conv_layout: str = "NCHW",
        ) -> None:
            BaseConvRNNCell.__init__(
                self,
                input_shape,
                num_hidden,
                h2h_kernel,
                h2h_dilate,
                i2h_kernel,
                i2h_stride,
                i2h_pad,
                i2h_dilate,
                i2h_weight_initializer,
                h2h_weight_initializer,
                i2h_bias_initializer,
                h2h_bias_initializer,
                activation,
                prefix,
                params,
                conv_layout,
            )

        cls.__init__ = __init__
        return cls

    return decorate


@_defaults("ConvRNN_")
class ConvRNNCell(BaseConvRNNCell):
    """`RNNCell` with convolutions."""

    @property
    def _gate_names(self) -> Sequence[str]:
        return ("",)

    def __call__(self, inputs: Symbol, states: Sequence[Symbol]) -> tuple[Symbol, list[Symbol]]:
        """One step."""
        name = self._next_name()
        i2h, h2h = self._product("i2h", inputs, name), self._product("h2h", states[0], name)
        output = self._act(i2h + h2h, name=f"{name}out")
        return output, [output]


@_defaults("ConvLSTM_")
class ConvLSTMCell(BaseConvRNNCell):
    """`LSTMCell` with convolutions.

    >>> cell = mx.rnn.ConvLSTMCell((0, 3, 8, 8), num_hidden=4)
    >>> cell.state_shape
    [(0, 4, 8, 8), (0, 4, 8, 8)]
    """

    @property
    def state_info(self) -> list[dict[str, Any]]:
        """Output and memory."""
        return super().state_info + super().state_info

    @property
    def _gate_names(self) -> Sequence[str]:
        return ["_i", "_f", "_c", "_o"]

    def __call__(self, inputs: Symbol, states: Sequence[Symbol]) -> tuple[Symbol, list[Symbol]]:
        """One step."""
        name = self._next_name()
        i2h, h2h = self._product("i2h", inputs, name), self._product("h2h", states[0], name)
        axis = self._layout.find("C")
        return lstm_gates(i2h + h2h, states[1], name, self._act, axis=axis)


@_defaults("ConvGRU_")
class ConvGRUCell(BaseConvRNNCell):
    """`GRUCell` with convolutions."""

    @property
    def _gate_names(self) -> Sequence[str]:
        return ["_r", "_z", "_o"]

    def __call__(self, inputs: Symbol, states: Sequence[Symbol]) -> tuple[Symbol, list[Symbol]]:
        """One step."""
        name = self._next_name()
        i2h, h2h = self._product("i2h", inputs, name), self._product("h2h", states[0], name)
        return gru_gates(i2h, h2h, states[0], name, self._act)
