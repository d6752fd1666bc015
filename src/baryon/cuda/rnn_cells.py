"""The steps of recurrent layers: a matrix product and one kernel each."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..ops.rnn_steps import GATES, KEPT, Weights
from .gemm import column_sums, times
from .launch import blocks, kernel_of, launch
from .rows import wide


def _run(xp: Any, name: str, dtype: Any, arrays: tuple, *sizes: int):
    """Launch a step; `sizes`: samples and units, and what else there is."""
    kernel = kernel_of(xp, "rnn", name, T=dtype)
    numbers = (np.int32(n) for n in sizes)
    launch(kernel, blocks(sizes[0] * sizes[1], 128), 128, *arrays, *numbers)


def bounds(attrs: Any, dtype: Any) -> tuple[Any, Any]:
    """Between which numbers cell states are held, as kernels take them."""
    low, high = attrs["lstm_state_clip_min"], attrs["lstm_state_clip_max"]
    real = wide(dtype)
    return real(-np.inf if low is None else low), real(np.inf if high is None else high)


def forward_layer(
    xp: Any, mode: str, w: Weights, x: Any, h: Any, c: Any, steps: range, held: tuple
) -> tuple[Any, Any, Any, Any]:
    """Outputs (T, N, H), kept blocks (T, N, K*H), last h and c: `ops.rnn_steps.run_layer`."""
    count, samples, _ = x.shape
    units, dtype = h.shape[1], x.dtype
    lone = mode == "gru"  # the bias of its state stays by itself
    gx = times(xp, x.reshape(count * samples, -1), w.wx.T) + (w.bx if lone else w.bx + w.bh)
    gx = gx.reshape(count, samples, GATES[mode] * units)
    outs = xp.empty((count, samples, units), dtype)
    kept = xp.empty((count, samples, KEPT[mode] * units), dtype)
    for t in steps:
        gh = times(xp, h, w.wh.T)
        if mode == "lstm":
            new = xp.empty(c.shape, c.dtype)
            arrays = gx[t], gh, c, outs[t], new, kept[t], *held
            _run(xp, "lstm_step", dtype, arrays, samples, units)
            c = new
        elif lone:
            _run(xp, "gru_step", dtype, (gx[t], gh, w.bh, h, outs[t], kept[t]), samples, units)
        else:
            arrays = gx[t], gh, outs[t], kept[t], np.int32(mode == "rnn_tanh")
            _run(xp, "plain_step", dtype, arrays, samples, units)
        h = outs[t]
    return outs, kept, h, c


def backward_layer(
    xp: Any, mode: str, w: Weights, x: Any, firsts: tuple, outs: Any, kept: Any, d_outs: Any,
    d_last: tuple, steps: range, held: tuple,
) -> tuple[Any, Weights, Any, Any]:  # fmt: skip
    """Gradients of x, the weights, and the first h and c: `ops.rnn_steps.run_layer_back`."""
    count, samples, units = outs.shape
    dtype, lone, order = x.dtype, mode == "gru", list(steps)
    stride = d_outs.strides[1] // d_outs.itemsize
    gates = [
        xp.empty((count, samples, GATES[mode] * units), dtype) for _ in range(2 if lone else 1)
    ]
    dh, dc = d_last
    dc = xp.array(dc, wide(dtype)) if mode == "lstm" else None  # a copy: the kernel changes it
    for i in reversed(range(count)):
        t, before = order[i], order[i - 1]
        if mode == "lstm":
            first, earlier = (firsts[1], None) if i == 0 else (None, kept[before])
            arrays = kept[t], d_outs[t], dh, first, earlier, dc, gates[0][t], *held
            _run(xp, "lstm_back", dtype, arrays, samples, units, stride)
            dh = times(xp, gates[0][t], w.wh)
        elif not lone:
            arrays = kept[t], d_outs[t], dh, gates[0][t], np.int32(mode == "rnn_tanh")
            _run(xp, "plain_back", dtype, arrays, samples, units, stride)
            dh = times(xp, gates[0][t], w.wh)
        else:
            h, more = firsts[0] if i == 0 else outs[before], xp.empty((samples, units), dtype)
            arrays = kept[t], d_outs[t], dh, h, gates[0][t], gates[1][t], more
            _run(xp, "gru_back", dtype, arrays, samples, units, stride)
            dh = times(xp, gates[1][t], w.wh) + more
    dgx, dgh = (g.reshape(count * samples, -1) for g in (gates[0], gates[-1]))
    late, early = (slice(1, None), slice(None, -1))[:: 1 if steps.step > 0 else -1]
    states = xp.empty(outs.shape, dtype)
    states[late], states[order[0]] = outs[early], firsts[0]
    grads = Weights(
        wx=times(xp, dgx.T, x.reshape(count * samples, -1)),
        wh=times(xp, dgh.T, states.reshape(count * samples, units)),
        wr=None,
        bx=column_sums(xp, dgx),
        bh=column_sums(xp, dgh),
    )
    return times(xp, dgx, w.wx).reshape(x.shape), grads, dh, dc
