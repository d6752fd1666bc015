"""The recurrent network without what a backward pass would read: the fuse pass draws it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import prod
from typing import Any

from .attrs import Attrs
from .fusion import Beginning, Fusion
from .op import op
from .rnn import Mode, rnn
from .rnn_layout import layout
from .samples import normal
from .samples import uniform as spread

GIVEN = 3  # outputs of `RNN` that it has: of all steps, and the last states


def _states(attrs: Attrs) -> int:
    return 2 if attrs.mode == "lstm" else 1


def _rnn_attrs(attrs: Attrs) -> Attrs:
    names = ("state_size", "num_layers", "bidirectional", "mode")
    return rnn.attributes({n: attrs[n] for n in names})


def _shapes(attrs: Attrs, ins: list, outs: list) -> tuple[list, list]:
    data, *states = ins[: 1 + _states(attrs)]
    _, found = rnn.shape_rule(_rnn_attrs(attrs), [data, None, *states], [None] * 6)
    return ins, found[:GIVEN]


def _joined(attrs: Attrs, ins: Sequence[Any]) -> list:
    """Specs as `rnn` takes them, whose parameters are one vector."""
    return [ins[0], ins[1 + _states(attrs)], *ins[1 : 1 + _states(attrs)]]


@op(
    "_inference_RNN",
    derived=True,
    variadic="num_args",
    shape=_shapes,
    outputs=("output", "state_output", "statecell_output"),
    kernel=True,
    params=lambda a, ins, outs: rnn.params(_rnn_attrs(a), ins, outs)[:4],
    flops=lambda a, ins, outs: 2 * prod(ins[0].shape[:2]) * sum(s.size for s in ins[1:]),
)
def inference_rnn(
    xp: Any,
    *data: Any,
    num_args: int,
    state_size: int,
    num_layers: int,
    bidirectional: bool = False,
    mode: Mode,
) -> Any:
    """The first three outputs of `RNN` in inference.

    data : data, state, for lstm state_cell; then the parameters as one vector, or matrices and
    biases one by one in the order in which they lie there.
    """
    attrs = Attrs(
        state_size=state_size, num_layers=num_layers, bidirectional=bidirectional, mode=mode
    )
    first = 1 + _states(attrs)
    x, *states = data[:first]
    parameters = xp.concatenate([w.reshape(-1) for w in data[first:]])
    more = {"bidirectional": bidirectional, "mode": mode, "train": False, "rng": None}
    sizes = {"state_size": state_size, "num_layers": num_layers}
    return rnn.body(xp, x, parameters, *states, **sizes, **more)[:GIVEN]


def _lean(inputs: Sequence[Any], attrs: Attrs, parts: Callable) -> Beginning | None:
    if rnn.params(attrs, (), ()) is None or (attrs.p > 0 and attrs.train):
        return None
    data, parameters, *states = inputs
    weights = parts(parameters)
    places = layout(attrs, data.shape[2])
    matrices = [prod(shape) for layer in places for _, shape in (*layer[:2],)]
    biases = [prod(shape) for layer in places for _, shape in layer[3:]]
    if [w.size for w in weights] != matrices + biases:
        weights = [parameters]
    names = ("state_size", "num_layers", "bidirectional", "mode")
    return Beginning(inference_rnn, [data, *states, *weights], {n: attrs[n] for n in names})


rnn.fusion = Fusion(lean=_lean)

_sizes = {"rnn_tanh": 1, "rnn_relu": 1, "gru": 3, "lstm": 4}
for _mode, _gates in _sizes.items():
    for _both, _batch in ((False, 2), (True, 25)):
        _count = 4 if _both else 2
        _units, _inputs = 5, 7
        _rows = _gates * _units
        _wide = [_inputs] * (_count // 2) + [_units * (2 if _both else 1)] * (_count // 2)
        _weights = [spread(_rows, n, low=-0.6, high=0.6) for wide in _wide for n in (wide, _units)]
        _weights += [spread(_rows, low=-0.6, high=0.6)] * (2 * _count)
        _state = normal(_count, _batch, _units)
        inference_rnn.sample(
            data=[normal(6, _batch, _inputs), *[_state] * (2 if _mode == "lstm" else 1), *_weights],
            **dict(state_size=_units, num_layers=2, bidirectional=_both, mode=_mode),
            **dict(_rtol=1e-3, _atol=1e-4),
        )
inference_rnn.sample(
    data=[normal(3, 2, 2), normal(2, 2, 3), normal(2, 2, 3), spread(180, low=-0.6, high=0.6)],
    **dict(state_size=3, num_layers=2, mode="lstm", _rtol=1e-3, _atol=1e-4),
)
