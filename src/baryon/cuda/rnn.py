"""The fused recurrent network."""

from __future__ import annotations

from ..ops.attrs import Attrs
from ..ops.rnn import _walk
from ..ops.rnn_layout import directions, views
from .launch import dense
from .registry import kernel
from .rnn_cells import backward_layer, bounds, forward_layer
from .rows import floating, wide


def _served(arrays: tuple, attrs: dict) -> bool:
    plain = not attrs["projection_size"] and not attrs["use_sequence_length"]
    alike = all(a is None or a.dtype == arrays[0].dtype for a in arrays)
    full = all(a is None or a.size for a in arrays)
    return plain and alike and full and floating(arrays[0])


@kernel("RNN")
def rnn(xp, data, parameters, state, state_cell=None, sequence_length=None, *, p, rng, **given):
    """See the operator; projections and lengths are left to its body."""
    if not _served((data, parameters, state, state_cell), given):
        return NotImplemented
    attrs, dtype = Attrs(given), data.dtype
    parameters, state = dense(xp, parameters), dense(xp, state)
    weights, both = views(attrs, parameters, data.shape[2]), directions(attrs)
    shape = (attrs.num_layers - 1, *data.shape[:2], attrs.state_size * both)
    dropping = p > 0 and attrs.num_layers > 1 and attrs.train
    mask = xp.zeros((0, *shape[1:]), dtype)
    if dropping:
        mask = ((rng.uniform(shape) < 1 - p) * (1 / (1 - p) if p < 1 else 0.0)).astype(dtype)
    x, ends, kept, layers, parts = data, [], [], [], []
    for layer, k, steps in _walk(attrs, data.shape[0]):
        c = None if state_cell is None else state_cell[k].astype(wide(dtype))
        given_layer = weights[k], x, state[k], c, steps, bounds(attrs, dtype)
        out, blocks, *end = forward_layer(xp, attrs.mode, *given_layer)
        ends.append(end)
        kept.append(blocks)
        parts.append(out)
        if len(parts) == both:
            layers.append(xp.concatenate(parts, axis=2) if both > 1 else out)
            parts = []
            x = layers[-1] * mask[layer] if dropping and layer < len(mask) else layers[-1]
    hidden = xp.stack(layers[:-1]) if attrs.num_layers > 1 else xp.zeros(shape, dtype)
    cells = xp.zeros((len(ends), data.shape[1], 0), dtype)
    if attrs.mode == "lstm":
        cells = xp.stack([c for _, c in ends]).astype(dtype, copy=False)
    return layers[-1], xp.stack([h for h, _ in ends]), cells, xp.stack(kept), hidden, mask


@kernel("_backward_RNN")
def backward_rnn(
    xp, d_out, d_end, d_end_cell, out, gates, hidden, mask, data, parameters, state,
    state_cell=None, sequence_length=None, **given,
):  # fmt: skip
    """See the operator."""
    if not _served((data, parameters, state, state_cell), given):
        return NotImplemented
    attrs, dtype = Attrs(given), data.dtype
    parameters, state, gates = (dense(xp, a) for a in (parameters, state, gates))
    weights, both = views(attrs, parameters, data.shape[2]), directions(attrs)
    d_parameters = xp.empty(parameters.shape, dtype)
    d_weights = views(attrs, d_parameters, data.shape[2])
    outs, units, lstm = [*hidden, out], attrs.state_size, attrs.mode == "lstm"
    d_outs, d_x, firsts = xp.ascontiguousarray(d_out), None, []
    for layer, k, steps in reversed(list(_walk(attrs, data.shape[0]))):
        x = data if layer == 0 else outs[layer - 1]
        dropped = layer > 0 and len(mask) > 0
        x = x * mask[layer - 1] if dropped else x
        at = slice(k % both * units, (k % both + 1) * units)
        first = state[k], state_cell[k].astype(wide(dtype)) if lstm else None
        last = xp.ascontiguousarray(d_end[k]), d_end_cell[k] if lstm else None
        own = xp.ascontiguousarray(outs[layer][..., at])
        kept = own, gates[k], d_outs[..., at], last, steps, bounds(attrs, dtype)
        dx, grads, *before = backward_layer(xp, attrs.mode, weights[k], x, first, *kept)
        for target, grad in zip(d_weights[k], grads, strict=True):
            if target is not None:
                target[...] = grad
        firsts.append(before)
        d_x = dx if d_x is None else d_x + dx
        if k % both == 0:
            d_outs, d_x = (d_x * mask[layer - 1] if dropped else d_x), None
    states = [xp.stack(s[::-1]) for s in zip(*firsts, strict=True) if s[0] is not None]
    return d_outs, d_parameters, *(s.astype(dtype, copy=False) for s in states)
