"""The fused recurrent network: vanilla, LSTM and GRU, many layers, one or two directions."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Literal

import numpy as np

from ..base import MXNetError
from .attrs import Attrs
from .numeric import widen
from .op import Spec, get, op
from .rnn_layout import directions, parameter_size, views
from .rnn_steps import KEPT, Cell, run_layer, run_layer_back
from .rules import show, unify, unify_dtypes
from .samples import normal
from .samples import uniform as spread

MODES = ("rnn_relu", "rnn_tanh", "lstm", "gru")
Mode = Literal["rnn_relu", "rnn_tanh", "lstm", "gru"]


# ---- rules ---------------------------------------------------------------------------------------


def _shapes(attrs: Attrs, ins: list, outs: list) -> tuple[list, list]:
    """Parameters and states from data (T, N, I); batch from whichever shape knows it."""
    data, parameters, state, *rest = ins
    if data is None:
        return ins, outs
    if len(data) != 3:
        raise MXNetError(f"data has shape {show(data)}, expected (steps, batch, features)")
    if attrs.projection_size and attrs.mode != "lstm":
        raise MXNetError("projection_size is for lstm only")
    if attrs.num_layers < 1 or attrs.state_size < 1:
        raise MXNetError("num_layers and state_size must be at least 1")
    both, units = directions(attrs), attrs.state_size
    steps, batch, inputs = data
    width, count = attrs.projection_size or units, attrs.num_layers * both
    if inputs >= 0:
        parameters = unify((parameter_size(attrs, inputs),), parameters)
    state = unify((count, batch, width), state)
    batch = state[1]
    data = unify(data, (steps, batch, inputs))
    lstm = attrs.mode == "lstm"
    if lstm:
        rest[0] = unify((count, batch, units), rest[0])
    if attrs.use_sequence_length:
        rest[-1] = unify((batch,), rest[-1])
    between = (attrs.num_layers - 1, steps, batch, both * width)
    found = [
        (steps, batch, both * width),
        (count, batch, width),
        (count, batch, units if lstm else 0),
        (count, steps, batch, KEPT[attrs.mode] * units),
        between,
        between if _dropping(attrs) else (0, *between[1:]),
    ]
    return [data, parameters, state, *rest], found


def _dtypes(attrs: Attrs, ins: list, outs: list) -> tuple[list, list]:
    """All alike; lengths may be of any type."""
    count = len(ins) - bool(attrs.use_sequence_length)
    dtype = unify_dtypes([*ins[:count], *outs])
    return [dtype] * count + ins[count:], [dtype] * len(outs)


def _dropping(attrs: Attrs) -> bool:
    return attrs.p > 0 and attrs.num_layers > 1 and attrs.train


def _params(attrs: Attrs, ins: Sequence[Spec], outs: Sequence[Spec]) -> tuple | None:
    """Kernel parameters: mode, layers, directions, units, dropout; None for the rarer forms."""
    bounds = attrs.lstm_state_clip_min, attrs.lstm_state_clip_max
    if attrs.projection_size or attrs.use_sequence_length or bounds != (None, None):
        return None
    p = attrs.p if attrs.get("train") else 0.0
    return MODES.index(attrs.mode), attrs.num_layers, directions(attrs), attrs.state_size, p


def _flops(attrs: Attrs, ins: Sequence[Spec], outs: Sequence[Spec]) -> int:
    """Two for each weight at each step and sample."""
    steps, batch, _ = ins[0].shape
    return 2 * steps * batch * ins[1].size


def _inside(xp: Any, lengths: Any, steps: int) -> Any:
    """(T, N, 1) bools: whether a step lies within its sample."""
    if lengths is None:
        return None
    return (xp.arange(steps)[:, None] < lengths.astype(np.int64))[..., None]


def _walk(attrs: Any, steps: int) -> Iterator[tuple[int, int, range]]:
    """Layer, position among layers and directions, and the order of the steps."""
    for k in range(attrs.num_layers * directions(attrs)):
        backwards = attrs.bidirectional and k % 2
        yield k // directions(attrs), k, range(steps)[:: -1 if backwards else 1]


_OUTPUTS = ("output", "state_output", "statecell_output", "gates", "hidden", "mask")


def _visible(attrs: Attrs) -> int:
    return (3 if attrs.mode == "lstm" else 2) if attrs.state_outputs else 1


@op(
    "RNN",
    aliases=("_npx_rnn",),
    shape=_shapes,
    dtype=_dtypes,
    outputs=_OUTPUTS,
    visible=_visible,
    counted=_visible,
    present={
        "state_cell": lambda a: a.mode == "lstm",
        "sequence_length": lambda a: a.use_sequence_length,
    },
    kernel=True,
    params=_params,
    flops=_flops,
)
def rnn(
    xp,
    data,
    parameters,
    state,
    state_cell=None,
    sequence_length=None,
    *,
    state_size: int,
    num_layers: int,
    bidirectional: bool = False,
    mode: Mode,
    p: float = 0.0,
    state_outputs: bool = False,
    projection_size: int | None = None,
    lstm_state_clip_min: float | None = None,
    lstm_state_clip_max: float | None = None,
    lstm_state_clip_nan: bool = False,
    use_sequence_length: bool = False,
    train: bool,
    rng,
):
    """A recurrent network over data (steps, batch, features): MXNet's operator ``RNN``.

    `parameters` holds for each layer and direction the input and recurrent matrices, then for each
    the two biases; gates in the order i, f, g, o (lstm) or r, z, n (gru, the reset gate applied
    after the recurrent product). state, state_cell : (layers * directions, batch, state_size); with
    ``projection_size`` (lstm) the state has that width (Sak et al. 2014). ``p`` drops inputs of the
    layers above the first in training. `lstm_state_clip_min` and `lstm_state_clip_max` bound the
    cell state. ``use_sequence_length`` stops sample n after ``sequence_length[n]`` steps. Returns
    (steps, batch, directions * state_size), with ``state_outputs`` also the last states.
    ``lstm_state_clip_nan`` has no effect. `bidirectional` reads data both ways.

    >>> x, h, w = mx.nd.ones((5, 1, 2)), mx.nd.zeros((1, 1, 3)), mx.nd.zeros((21,))
    >>> mx.nd.RNN(x, w, h, state_size=3, num_layers=1, mode="rnn_tanh").shape
    (5, 1, 3)
    """
    attrs = Attrs(
        mode=mode, state_size=state_size, num_layers=num_layers, bidirectional=bidirectional,
        projection_size=projection_size, p=p, train=train,
    )  # fmt: skip
    if mode != "lstm" and use_sequence_length:
        state_cell, sequence_length = None, state_cell
    cell = Cell(xp, mode, lstm_state_clip_min, lstm_state_clip_max)
    x, inside = widen(xp, data), _inside(xp, sequence_length, data.shape[0])
    weights = views(attrs, widen(xp, parameters), data.shape[2])
    width = (projection_size or state_size) * directions(attrs)
    shape = (num_layers - 1, *data.shape[:2], width)
    mask = xp.zeros((0, *shape[1:]), x.dtype)
    if _dropping(attrs):
        mask = (rng.uniform(shape) < 1 - p) * (1 / (1 - p) if p < 1 else 0.0)
    ends, gates, layers, parts = [], [], [], []
    for layer, k, steps in _walk(attrs, data.shape[0]):
        c = None if state_cell is None else widen(xp, state_cell)[k]
        out, kept, *last = run_layer(cell, weights[k], x, widen(xp, state)[k], c, steps, inside)
        ends.append(last)
        gates.append(kept)
        parts.append(out)
        if len(parts) == directions(attrs):
            layers.append(xp.concatenate(parts, axis=2))
            parts = []
            x = layers[-1] * mask[layer] if len(mask) > layer else layers[-1]
    hidden = xp.stack(layers[:-1]) if num_layers > 1 else xp.zeros(shape, x.dtype)
    cells = xp.zeros((len(ends), data.shape[1], 0), x.dtype)
    if mode == "lstm":
        cells = xp.stack([c for _, c in ends])
    return layers[-1], xp.stack([h for h, _ in ends]), cells, xp.stack(gates), hidden, mask


def _gradient_outputs(attrs: Attrs) -> tuple[str, ...]:
    names = ("d_data", "d_parameters", "d_state")
    return (*names, "d_state_cell") if attrs.mode == "lstm" else names


@op(
    "_backward_RNN",
    shape=lambda a, ins, outs: (ins, ins[7 : 7 + len(outs)]),
    dtype=lambda a, ins, outs: (ins, [ins[7]] * len(outs)),
    outputs=_gradient_outputs,
    present={
        "state_cell": lambda a: a.mode == "lstm",
        "sequence_length": lambda a: a.use_sequence_length,
    },
    kernel=True,
    params=_params,
)
def backward_rnn(
    xp,
    d_out,
    d_end,
    d_end_cell,
    out,
    gates,
    hidden,
    mask,
    data,
    parameters,
    state,
    state_cell=None,
    sequence_length=None,
    *,
    state_size: int,
    num_layers: int,
    bidirectional: bool,
    mode: Mode,
    projection_size: int | None,
    lstm_state_clip_min: float | None,
    lstm_state_clip_max: float | None,
    use_sequence_length: bool,
):
    """Gradient of `rnn` by backpropagation through time."""
    attrs = Attrs(
        mode=mode, state_size=state_size, num_layers=num_layers, bidirectional=bidirectional,
        projection_size=projection_size,
    )  # fmt: skip
    if mode != "lstm" and use_sequence_length:
        state_cell, sequence_length = None, state_cell
    cell = Cell(xp, mode, lstm_state_clip_min, lstm_state_clip_max)
    inside = _inside(xp, sequence_length, data.shape[0])
    weights = views(attrs, widen(xp, parameters), data.shape[2])
    d_parameters = xp.zeros(parameters.shape, widen(xp, parameters).dtype)
    d_weights = views(attrs, d_parameters, data.shape[2])
    outs = [*widen(xp, hidden), widen(xp, out)]
    width = out.shape[2] // directions(attrs)
    d_outs, d_x, firsts = widen(xp, d_out), 0, []
    for layer, k, steps in reversed(list(_walk(attrs, data.shape[0]))):
        x = widen(xp, data if layer == 0 else outs[layer - 1])
        dropped = layer > 0 and len(mask) > 0
        x = x * mask[layer - 1] if dropped else x
        at = slice(k % directions(attrs) * width, (k % directions(attrs) + 1) * width)
        lstm = mode == "lstm"
        dx, grads, *first = run_layer_back(
            cell,
            weights[k],
            x,
            (widen(xp, state)[k], widen(xp, state_cell)[k] if lstm else None),
            outs[layer][..., at],
            widen(xp, gates)[k],
            d_outs[..., at],
            (widen(xp, d_end)[k], widen(xp, d_end_cell)[k] if lstm else 0),
            steps,
            inside,
        )
        for target, grad in zip(d_weights[k], grads, strict=True):
            if target is not None:
                target[...] = grad
        firsts.append(first[: 2 if lstm else 1])
        d_x = d_x + dx
        if k % directions(attrs) == 0:
            d_outs, d_x = (d_x * mask[layer - 1] if dropped else d_x), 0
    states = [xp.stack(ends[::-1]) for ends in zip(*firsts, strict=True)]
    return d_outs, d_parameters, *states


@rnn.gradient("data", "parameters", "state", "state_cell")
def _(
    d_output,
    d_state_output,
    d_statecell_output,
    output,
    state_output,
    statecell_output,
    gates,
    hidden,
    mask,
    data,
    parameters,
    state,
    state_cell,
    sequence_length,
    attrs,
):
    def or_zeros(dy: Any, like: Any) -> Any:
        if dy is not None:
            return dy
        if 0 in like.shape:  # the cell states of other modes: an empty array is its own zeros
            return like
        # Drawn from shape and dtype alone: the tape need not keep the output for it.
        return like._apply(get("_zeros"), [], {"shape": like.shape, "dtype": like.dtype})

    heads = (
        or_zeros(d_output, output),
        or_zeros(d_state_output, state_output),
        or_zeros(d_statecell_output, statecell_output),
    )
    optional = [x for x in (state_cell, sequence_length) if x is not None]
    kept = {k: v for k, v in attrs.items() if k in backward_rnn.attrs}
    grads = backward_rnn(
        *heads, output, gates, hidden, mask, data, parameters, state, *optional, **kept
    )
    return [*grads, None][:4]


_lstm = {"state": normal(2, 2, 3), "state_cell": normal(2, 2, 3), "mode": "lstm"}
_once = {"_rtol": 1e-3, "_atol": 1e-4}
for _kind in ("rnn_tanh", "gru"):
    rnn.sample(
        data=normal(3, 2, 2),
        parameters=spread({"rnn_tanh": 42, "gru": 126}[_kind], low=-0.6, high=0.6),
        state=normal(2, 2, 3),
        state_size=3,
        num_layers=1,
        mode=_kind,
        bidirectional=True,
        state_outputs=True,
        **_once,
    )
rnn.sample(
    data=normal(3, 2, 2),
    parameters=spread(180, low=-0.6, high=0.6),
    state_size=3,
    num_layers=2,
    **_lstm,
    **_once,
)
backward_rnn.sample(
    **dict(d_out=normal(3, 2, 6), d_end=normal(4, 2, 3), d_end_cell=normal(4, 2, 0)),
    **dict(out=normal(3, 2, 6), gates=spread(4, 3, 2, 12, low=0.1, high=0.9)),
    **dict(hidden=normal(1, 3, 2, 6), mask=spread(1, 3, 2, 6, low=0.0, high=2.0)),
    **dict(data=normal(3, 2, 2), parameters=normal(324, scale=0.5), state=normal(4, 2, 3)),
    **dict(state_size=3, num_layers=2, bidirectional=True, mode="gru", projection_size=None),
    **dict(lstm_state_clip_min=None, lstm_state_clip_max=None, use_sequence_length=False),
    _grad=(),
)
