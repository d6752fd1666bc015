"""The fused recurrent network as an expression of simple operators, for gradients of gradients."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod
from typing import Any

from .attrs import Attrs
from .op import Pullback, get
from .rnn import backward_rnn
from .rnn_layout import directions, layout
from .rnn_steps import Weights


@backward_rnn.expression
def _(
    d_out,
    d_end,
    d_end_cell,
    mask,
    data,
    parameters,
    state,
    state_cell,
    sequence_length,
    attrs,
):
    out, *ends = _forward(attrs, mask, data, parameters, state, state_cell, sequence_length)
    heads = [d_out, d_end, d_end_cell][: 1 + len(ends)]
    wrt = [data, parameters, state, *([] if state_cell is None else [state_cell])]
    return Pullback([out, *ends], heads, wrt)


def _forward(
    attrs: Attrs, mask: Any, data: Any, parameters: Any, state: Any, cells: Any, lengths: Any
) -> list[Any]:
    """Outputs (T, N, D * P), last h, and for an LSTM last c."""
    both = directions(attrs)
    weights = _weights(attrs, parameters, data.shape[2])
    hs, cs = _parts(state), [None] * len(weights) if cells is None else _parts(cells)
    inside = [_inside(lengths, t, data) for t in range(data.shape[0])]
    x, ends = data, []
    for layer in range(attrs.num_layers):
        if layer and mask.shape[0]:
            x = x * get("Reshape")(_part(mask, layer - 1), shape=x.shape)
        outs = []
        for k in range(layer * both, (layer + 1) * both):
            backwards = -1 if k % 2 and both == 2 else 1
            out, *last = _layer(attrs, weights[k], x, hs[k], cs[k], inside, backwards)
            outs.append(out)
            ends.append(last)
        x = outs[0] if both == 1 else get("Concat")(*outs, dim=2)
    stacked = [get("stack")(*each, axis=0) for each in zip(*ends, strict=True) if None not in each]
    return [x, *stacked]


def _layer(
    attrs: Attrs, w: Weights, x: Any, h: Any, c: Any, inside: Sequence[Any], order: int
) -> tuple[Any, Any, Any]:
    """All steps of one layer in one direction: outputs, last h and c."""
    gx = _parts(_linear(x, w.wx, w.bx))
    outs: list[Any] = [None] * len(gx)
    for t in range(len(gx))[::order]:
        new_h, new_c = _step(attrs, gx[t], _linear(h, w.wh, w.bh), h, c)
        new_h = new_h if w.wr is None else _linear(new_h, w.wr)
        outs[t] = new_h
        if inside[t] is not None:
            outs[t] = new_h * inside[t]
            new_h = outs[t] + h * (1 - inside[t])
            new_c = None if c is None else new_c * inside[t] + c * (1 - inside[t])
        h, c = new_h, new_c
    return get("stack")(*outs, axis=0), h, c


def _step(attrs: Attrs, gx: Any, gh: Any, h: Any, c: Any) -> tuple[Any, Any]:
    """New h, before projection, and c from both halves of the gates."""
    sigmoid, tanh = get("sigmoid"), get("tanh")
    if attrs.mode == "lstm":
        i, f, g, o = get("SliceChannel")(gx + gh, num_outputs=4, axis=1)
        c = sigmoid(f) * c + sigmoid(i) * tanh(g)
        low, high = attrs.lstm_state_clip_min, attrs.lstm_state_clip_max
        if low is not None or high is not None:
            wide = float("inf")
            bounds = {
                "a_min": -wide if low is None else low,
                "a_max": wide if high is None else high,
            }
            c = get("clip")(c, **bounds)
        return sigmoid(o) * tanh(c), c
    if attrs.mode == "gru":
        (xr, xz, xn), (hr, hz, hn) = (
            get("SliceChannel")(part, num_outputs=3, axis=1) for part in (gx, gh)
        )
        r, z = sigmoid(xr + hr), sigmoid(xz + hz)
        return (1 - z) * tanh(xn + r * hn) + z * h, None
    return (tanh if attrs.mode == "rnn_tanh" else get("relu"))(gx + gh), None


def _linear(x: Any, weight: Any, bias: Any = None) -> Any:
    inputs = [x, weight] if bias is None else [x, weight, bias]
    options = {"num_hidden": weight.shape[0], "no_bias": bias is None, "flatten": False}
    return get("FullyConnected")(*inputs, **options)


def _weights(attrs: Attrs, parameters: Any, inputs: int) -> list[Weights]:
    """Matrices and biases cut out of the parameters, by layer and direction."""
    found = []
    for places in layout(attrs, inputs):
        parts = [
            _part(parameters, offset, prod(shape), shape) if prod(shape) else None
            for offset, shape in places
        ]
        found.append(Weights(*parts))
    return found


def _part(x: Any, begin: int, count: int = 1, shape: Sequence[int] = ()) -> Any:
    """Some of the first axis, reshaped to `shape` if one is given."""
    cut = get("slice_axis")(x, axis=0, begin=begin, end=begin + count)
    return get("Reshape")(cut, shape=tuple(shape)) if shape else cut


def _parts(x: Any) -> list[Any]:
    """A tensor split along its first axis."""
    found = get("SliceChannel")(x, num_outputs=x.shape[0], axis=0, squeeze_axis=True)
    return found if isinstance(found, list) else [found]


def _inside(lengths: Any, step: int, like: Any) -> Any:
    """(N, 1): 1 where a step lies within its sample, else 0; None if all samples are whole."""
    if lengths is None:
        return None
    within = get("Cast")(lengths > step, dtype=like.dtype)
    return get("Reshape")(within, shape=(lengths.shape[0], 1))
