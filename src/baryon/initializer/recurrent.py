"""Initializers of recurrent networks' parameters."""

from __future__ import annotations

import numpy as np

from .. import ndarray as nd
from ..ndarray import NDArray
from .base import InitDesc, Initializer, create, register


@register
class LSTMBias(Initializer):
    """Zeros, with ``forget_bias`` in the second quarter: the forget gate (order i, f, c, o).

    >>> x = mx.nd.empty((8,))
    >>> mx.init.LSTMBias()(mx.init.InitDesc("lstm_weight"), x)
    >>> x.asnumpy()
    array([0., 0., 1., 1., 0., 0., 0., 0.], dtype=float32)
    """

    def __init__(self, forget_bias: float = 1.0) -> None:
        super().__init__(forget_bias=forget_bias)
        self.forget_bias = forget_bias

    def _init_weight(self, _: str, arr: NDArray) -> None:
        arr[:] = 0.0
        hidden = arr.shape[0] // 4
        arr[hidden : 2 * hidden] = self.forget_bias


_GATES = {"rnn_relu": 1, "rnn_tanh": 1, "lstm": 4, "gru": 3}


@register
class FusedRNN(Initializer):
    """The packed parameter vector of the RNN operator, filled matrix by matrix.

    ``init`` (an initializer, its JSON, or None for the model's own) fills the weight matrices,
    biases become 0; for LSTM the forget gate's biases become ``forget_bias``.

    >>> init = mx.init.FusedRNN("ones", num_hidden=1, num_layers=1, mode="lstm")
    >>> x = mx.nd.empty((16,))  # 4 gates of 1 input and 1 hidden weight, then two biases each
    >>> init(mx.init.InitDesc("rnn_weight", global_init=init), x)
    >>> x.asnumpy()
    array([1., 1., 1., 1., 1., 1., 1., 1., 0., 1., 0., 0., 0., 1., 0., 0.],
          dtype=float32)
    """

    def __init__(
        self,
        init: Initializer | str | None,
        num_hidden: int,
        num_layers: int,
        mode: str,
        bidirectional: bool = False,
        forget_bias: float = 1.0,
    ) -> None:
        init = create(init) if isinstance(init, str) else init
        super().__init__(
            init=None if init is None else init.dumps(),
            num_hidden=num_hidden,
            num_layers=num_layers,
            mode=mode,
            bidirectional=bidirectional,
            forget_bias=forget_bias,
        )
        if mode not in _GATES:
            raise ValueError(f"RNN mode must be one of {', '.join(_GATES)}, got {mode!r}")
        self._init = init
        self._num_hidden = num_hidden
        self._num_layers = num_layers
        self._mode = mode
        self._directions = ["l", "r"] if bidirectional else ["l"]
        self._forget_bias = forget_bias

    def _input_size(self, total: int) -> int:
        """The number of inputs of the first layer, from the length of the packed vector."""
        rows = len(self._directions) * _GATES[self._mode] * self._num_hidden
        deep = len(self._directions) * self._num_hidden + self._num_hidden + 2
        inputs, rest = divmod(total - (self._num_layers - 1) * rows * deep, rows)
        inputs -= self._num_hidden + 2
        if rest or inputs <= 0:
            raise ValueError(
                f"an RNN parameter vector of {total} elements fits no input size with "
                f"{self._num_layers} layers of {self._num_hidden} {self._mode} units"
            )
        return inputs

    def _init_weight(self, name: str, arr: NDArray) -> None:
        gates, hidden = _GATES[self._mode], self._num_hidden
        model_init = getattr(name, "global_init", None)
        init = self._init or model_init
        if init is None or isinstance(init, FusedRNN):
            raise ValueError(f"FusedRNN needs an initializer for the matrices of {name}")
        shapes = []
        for layer in range(self._num_layers):
            below = len(self._directions) * hidden if layer else self._input_size(arr.size)
            for direction in self._directions:
                stem = f"{direction}{layer}_"
                shapes += [(f"{stem}i2h_weight", below), (f"{stem}h2h_weight", hidden)]
        packed, start = nd.zeros(arr.shape, dtype="float32"), 0
        for part, columns in shapes:
            stop = start + gates * hidden * columns
            matrix = nd.zeros((gates * hidden, columns))
            init(InitDesc(part, global_init=model_init), matrix)
            packed[start:stop] = matrix.reshape((-1,))
            start = stop
        if self._mode == "lstm":
            biases = np.zeros((2 * self._num_layers * len(self._directions), 4, hidden), "float32")
            biases[:, 1] = self._forget_bias
            packed[start:] = biases.reshape(-1)
        arr[:] = packed
