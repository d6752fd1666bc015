"""Recurrent layers over whole sequences, computed by the fused operator ``RNN``."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from ... import ndarray, symbol
from ...base import MXNetError
from ..block import HybridBlock
from ..utils import ArgumentError, in_mode
from . import rnn_cell
from ._sequence import TENSORS

__all__ = ["GRU", "LSTM", "RNN"]

_GATES = {"rnn_relu": 1, "rnn_tanh": 1, "lstm": 4, "gru": 3}
_NAME = re.compile(r"([lr])(\d+)_(i2h|h2h|h2r)_(weight|bias)\Z")


class _RNNLayer(HybridBlock):
    """Any number of layers of one kind, in one or both directions."""

    def __init__(
        self,
        hidden_size: int,
        num_layers: int,
        layout: str,
        dropout: float,
        bidirectional: bool,
        input_size: int,
        i2h_weight_initializer: Any,
        h2h_weight_initializer: Any,
        i2h_bias_initializer: Any,
        h2h_bias_initializer: Any,
        mode: str,
        projection_size: int | None = None,
        h2r_weight_initializer: Any = None,
        state_clip: tuple[float | None, float | None, bool] = (None, None, False),
        dtype: Any = "float32",
        use_sequence_length: bool = False,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        if layout not in ("TNC", "NTC"):
            raise ArgumentError(f"Invalid layout {layout}; must be one of ['TNC' or 'NTC']")
        self._hidden_size = hidden_size
        self._projection_size = projection_size or None
        self._num_layers = num_layers
        self._mode = mode
        self._layout = layout
        self._dropout = dropout
        self._dir = 2 if bidirectional else 1
        self._input_size = input_size
        self._state_clip = state_clip
        self._dtype = dtype
        self._use_sequence_length = use_sequence_length
        self._gates = _GATES[mode]
        self.skip_states = False
        inits = {
            "i2h_weight": i2h_weight_initializer,
            "h2h_weight": h2h_weight_initializer,
            "i2h_bias": i2h_bias_initializer,
            "h2h_bias": h2h_bias_initializer,
            "h2r_weight": h2r_weight_initializer,
        }
        for stem, kind, shape in self._shapes(input_size):
            name = f"{stem}_{kind}"
            param = self.params.get(
                name, shape=shape, init=inits[kind], allow_deferred_init=True, dtype=dtype
            )
            setattr(self, name, param)

    def _shapes(self, input_size: int) -> list[tuple[str, str, tuple[int, ...]]]:
        """Layer and direction, kind and shape of every Parameter."""
        rows, inputs, found = self._gates * self._hidden_size, input_size, []
        outputs = self._projection_size or self._hidden_size
        for layer in range(self._num_layers):
            for direction in "lr"[: self._dir]:
                stem = f"{direction}{layer}"
                found += [
                    (stem, "i2h_weight", (rows, inputs)),
                    (stem, "h2h_weight", (rows, outputs)),
                    (stem, "i2h_bias", (rows,)),
                    (stem, "h2h_bias", (rows,)),
                ]
                if self._projection_size:
                    found.append((stem, "h2r_weight", (self._projection_size, self._hidden_size)))
            inputs = outputs * self._dir
        return found

    def __repr__(self) -> str:
        rows, inputs = self.l0_i2h_weight.shape
        text = f"{inputs or None} -> {rows // self._gates}, {self._layout}"
        if self._num_layers != 1:
            text += f", num_layers={self._num_layers}"
        if self._dropout != 0:
            text += f", dropout={self._dropout}"
        if self._dir == 2:
            text += ", bidirectional"
        return f"{type(self).__name__}({text})"

    def _collect_params_with_prefix(self, prefix: str = "") -> dict[str, Any]:
        """Structural names as if the layer were a stack of cells, which is how files have them."""
        stem = prefix + "." if prefix else ""

        def spelled(match: re.Match) -> str:
            direction, layer, group, kind = match.groups()
            cell = f".{direction}_cell" if self._dir == 2 else ""
            return f"_unfused.{layer}{cell}.{group}_{kind}"

        return {stem + _NAME.sub(spelled, k): param for k, param in self._reg_params.items()}

    # ---- states ----------------------------------------------------------------------------------

    def state_info(self, batch_size: int = 0) -> list[dict]:
        """Shape, layout and dtype of each state."""
        return [self._state(batch_size, self._hidden_size)]

    def _state(self, batch_size: int, size: int) -> dict:
        shape = (self._num_layers * self._dir, batch_size, size)
        return {"shape": shape, "__layout__": "LNC", "dtype": self._dtype}

    def begin_state(
        self, batch_size: int = 0, func: Callable = ndarray.zeros, **kwargs: Any
    ) -> list:
        """First states; `func` makes one from its name and shape."""
        return [
            in_mode(func(name=f"{self.prefix}h0_{i}", **{**info, **kwargs}))
            for i, info in enumerate(self.state_info(batch_size))
        ]

    # ---- running ---------------------------------------------------------------------------------

    def __call__(
        self, inputs: Any, states: Any = None, sequence_length: Any = None, **kwargs: Any
    ) -> Any:
        """Outputs of all steps; with `states` given, also the last states.

        inputs          : tensor in the layer's layout.
        states          : first states; zeros when None.
        sequence_length : number of valid steps of each sample, if the layer was made with
                          ``use_sequence_length=True``.
        """
        if self.skip_states != (states is None):
            self._clear_cached_op()  # the graph of the other kind of call has other outputs
            self.skip_states = states is None
        if states is None:
            if isinstance(inputs, ndarray.NDArray):
                size = inputs.shape[self._layout.find("N")]
                states = self.begin_state(size, ctx=inputs.context, dtype=inputs.dtype)
            else:
                states = self.begin_state(0, func=symbol.zeros)
        if isinstance(states, TENSORS):
            states = [states]
        if self._use_sequence_length:
            return super().__call__(inputs, states, sequence_length, **kwargs)
        return super().__call__(inputs, states, **kwargs)

    def infer_shape(self, inputs: Any, *args: Any) -> None:
        """Find the shapes of Parameters from the inputs' last axis."""
        if len(inputs.shape) != 3:
            raise MXNetError(f"expected inputs of layout {self._layout}, got {inputs.shape}")
        for stem, kind, shape in self._shapes(inputs.shape[2]):
            getattr(self, f"{stem}_{kind}").shape = shape

    def hybrid_forward(
        self, F: Any, inputs: Any, states: list, sequence_length: Any = None, **kwargs: Any
    ) -> Any:
        """Pack the Parameters and run the operator ``RNN``."""
        if F is ndarray:
            self._check_states(inputs, states)
        if self._layout == "NTC":
            inputs = F.swapaxes(inputs, dim1=0, dim2=1)
        ordered = [kwargs[name] for name in self._packing_order()]
        packed = F._internal._rnn_param_concat(*(F.reshape(p, shape=-1) for p in ordered), dim=0)
        extra = [sequence_length] if self._use_sequence_length else []
        low, high, nan = self._state_clip
        out = F.RNN(
            inputs,
            packed,
            *states,
            *extra,
            use_sequence_length=self._use_sequence_length,
            state_size=self._hidden_size,
            projection_size=self._projection_size,
            num_layers=self._num_layers,
            bidirectional=self._dir == 2,
            p=self._dropout,
            state_outputs=True,
            mode=self._mode,
            lstm_state_clip_min=low,
            lstm_state_clip_max=high,
            lstm_state_clip_nan=nan,
        )
        outputs, states = out[0], [out[i] for i in range(1, 3 if self._mode == "lstm" else 2)]
        if self._layout == "NTC":
            outputs = F.swapaxes(outputs, dim1=0, dim2=1)
        return outputs if self.skip_states else (outputs, states)

    def _packing_order(self) -> list[str]:
        """Names of Parameters as the operator wants them: all weights, then all biases."""
        groups = ("i2h", "h2h", "h2r") if self._projection_size else ("i2h", "h2h")
        return [
            f"{direction}{layer}_{group}_{kind}"
            for kind in ("weight", "bias")
            for layer in range(self._num_layers)
            for direction in "lr"[: self._dir]
            for group in groups
            if (group, kind) != ("h2r", "bias")
        ]

    def _check_states(self, inputs: Any, states: list) -> None:
        infos = self.state_info(inputs.shape[self._layout.find("N")])
        if len(states) != len(infos):
            raise ValueError(f"{self.name}: expected {len(infos)} states, got {len(states)}")
        for state, info in zip(states, infos, strict=True):
            if state.shape != info["shape"]:
                raise ValueError(
                    f"Invalid recurrent state shape. Expecting {info['shape']}, got {state.shape}."
                )

    def _unfuse(self) -> Any:
        """The same layers as a stack of cells that share the Parameters."""
        if self._projection_size:
            raise MXNetError("a layer with projection cannot be unfused")
        if any(self._state_clip):
            raise MXNetError("a layer that clips its states cannot be unfused")
        stack = rnn_cell.HybridSequentialRNNCell(prefix=self.prefix, params=self.params)
        outputs, inputs = self._hidden_size, self._input_size
        with stack.name_scope():
            for layer in range(self._num_layers):
                cells = [
                    self._make_cell(f"{direction}{layer}_", inputs)
                    for direction in "lr"[: self._dir]
                ]
                stack.add(cells[0] if self._dir == 1 else rnn_cell.BidirectionalCell(*cells))
                if self._dropout > 0 and layer != self._num_layers - 1:
                    stack.add(rnn_cell.DropoutCell(self._dropout))
                inputs = outputs * self._dir
        return stack

    def _make_cell(self, prefix: str, input_size: int) -> Any:
        options = {"input_size": input_size, "prefix": prefix}
        if self._mode == "lstm":
            return rnn_cell.LSTMCell(self._hidden_size, **options)
        if self._mode == "gru":
            return rnn_cell.GRUCell(self._hidden_size, **options)
        return rnn_cell.RNNCell(self._hidden_size, self._mode[len("rnn_") :], **options)


class RNN(_RNNLayer):
    """Elman layers: ``h' = activation(W x + b + R h + c)``.

    hidden_size   : number of units.                 num_layers : layers on top of each other.
    activation    : "relu" or "tanh".                layout : "TNC" or "NTC".
    dropout       : between layers, in training.     bidirectional : whether to run both ways.
    input_size    : number of inputs; 0 to find it in the first forward pass.

    >>> layer = mx.gluon.rnn.RNN(4, layout="NTC")
    >>> layer.initialize()
    >>> layer(mx.nd.ones((2, 3, 5))).shape
    (2, 3, 4)
    """

    def __init__(
        self,
        hidden_size: int,
        num_layers: int = 1,
        activation: str = "relu",
        layout: str = "TNC",
        dropout: float = 0,
        bidirectional: bool = False,
        i2h_weight_initializer: Any = None,
        h2h_weight_initializer: Any = None,
        i2h_bias_initializer: Any = "zeros",
        h2h_bias_initializer: Any = "zeros",
        input_size: int = 0,
        dtype: Any = "float32",
        **kwargs: Any,
    ) -> None:
        if activation not in ("relu", "tanh"):
            raise ArgumentError(f"activation must be 'relu' or 'tanh', got {activation!r}")
        super().__init__(
            hidden_size,
            num_layers,
            layout,
            dropout,
            bidirectional,
            input_size,
            i2h_weight_initializer,
            h2h_weight_initializer,
            i2h_bias_initializer,
            h2h_bias_initializer,
            "rnn_" + activation,
            dtype=dtype,
            **kwargs,
        )


class LSTM(_RNNLayer):
    """Long short-term memory layers (Hochreiter and Schmidhuber, 1997); arguments as in `RNN`.

    projection_size : size of the outputs' projection (Sak et al., 2014); None for none.
    state_clip_min, state_clip_max : bounds of the memory.

    >>> layer = mx.gluon.rnn.LSTM(4, num_layers=2, bidirectional=True)
    >>> layer.initialize()
    >>> output, (h, c) = layer(mx.nd.ones((3, 2, 5)), layer.begin_state(2))
    >>> output.shape, h.shape, c.shape
    ((3, 2, 8), (4, 2, 4), (4, 2, 4))
    """

    def __init__(
        self,
        hidden_size: int,
        num_layers: int = 1,
        layout: str = "TNC",
        dropout: float = 0,
        bidirectional: bool = False,
        input_size: int = 0,
        i2h_weight_initializer: Any = None,
        h2h_weight_initializer: Any = None,
        i2h_bias_initializer: Any = "zeros",
        h2h_bias_initializer: Any = "zeros",
        projection_size: int | None = None,
        h2r_weight_initializer: Any = None,
        state_clip_min: float | None = None,
        state_clip_max: float | None = None,
        state_clip_nan: bool = False,
        dtype: Any = "float32",
        **kwargs: Any,
    ) -> None:
        super().__init__(
            hidden_size,
            num_layers,
            layout,
            dropout,
            bidirectional,
            input_size,
            i2h_weight_initializer,
            h2h_weight_initializer,
            i2h_bias_initializer,
            h2h_bias_initializer,
            "lstm",
            projection_size,
            h2r_weight_initializer,
            (state_clip_min, state_clip_max, state_clip_nan),
            dtype,
            **kwargs,
        )

    def state_info(self, batch_size: int = 0) -> list[dict]:
        """Output and memory."""
        outputs = self._projection_size or self._hidden_size
        return [self._state(batch_size, outputs), self._state(batch_size, self._hidden_size)]


class GRU(_RNNLayer):
    """Gated recurrent layers (Cho et al., 2014); arguments as in `RNN`.

    >>> layer = mx.gluon.rnn.GRU(4)
    >>> layer.initialize()
    >>> layer(mx.nd.ones((3, 2, 5))).shape
    (3, 2, 4)
    """

    def __init__(
        self,
        hidden_size: int,
        num_layers: int = 1,
        layout: str = "TNC",
        dropout: float = 0,
        bidirectional: bool = False,
        input_size: int = 0,
        i2h_weight_initializer: Any = None,
        h2h_weight_initializer: Any = None,
        i2h_bias_initializer: Any = "zeros",
        h2h_bias_initializer: Any = "zeros",
        dtype: Any = "float32",
        **kwargs: Any,
    ) -> None:
        super().__init__(
            hidden_size,
            num_layers,
            layout,
            dropout,
            bidirectional,
            input_size,
            i2h_weight_initializer,
            h2h_weight_initializer,
            i2h_bias_initializer,
            h2h_bias_initializer,
            "gru",
            dtype=dtype,
            **kwargs,
        )
