"""One layer of a recurrent network in one direction, forward and backward, for `rnn`.

Sizes: T steps, N samples, I inputs, H units, P units after projection (H without one).
"""

from __future__ import annotations

from typing import Any, NamedTuple

from .activation import sigmoid

GATES = {"rnn_relu": 1, "rnn_tanh": 1, "gru": 3, "lstm": 4}
KEPT = {"rnn_relu": 1, "rnn_tanh": 1, "gru": 4, "lstm": 5}  # blocks of H kept for backward


class Weights(NamedTuple):
    """Views of one layer and direction in the vector of parameters."""

    wx: Any  # (gates * H, I)
    wh: Any  # (gates * H, P)
    wr: Any  # (P, H), or None without projection
    bx: Any  # (gates * H,)
    bh: Any  # (gates * H,)


class Cell(NamedTuple):
    """What every step needs to know."""

    xp: Any
    mode: str
    low: float | None  # bounds of the LSTM cell state
    high: float | None

    def clipped(self, c: Any) -> Any:
        """The cell state within its bounds."""
        return c if self.low is None and self.high is None else self.xp.clip(c, self.low, self.high)


def step(cell: Cell, gx: Any, gh: Any, h: Any, c: Any) -> tuple[Any, Any, list]:
    """New h (before projection) and c from both halves of the gates; the blocks to keep."""
    xp = cell.xp
    if cell.mode == "lstm":
        i, f, g, o = xp.split(gx + gh, 4, axis=1)
        i, f, g, o = sigmoid(xp, i), sigmoid(xp, f), xp.tanh(g), sigmoid(xp, o)
        c = cell.clipped(f * c + i * g)
        return o * xp.tanh(c), c, [i, f, g, o, c]
    if cell.mode == "gru":
        (xr, xz, xn), (hr, hz, hn) = xp.split(gx, 3, axis=1), xp.split(gh, 3, axis=1)
        r, z = sigmoid(xp, xr + hr), sigmoid(xp, xz + hz)
        n = xp.tanh(xn + r * hn)
        return (1 - z) * n + z * h, c, [r, z, n, hn]
    h = xp.tanh(gx + gh) if cell.mode == "rnn_tanh" else xp.maximum(gx + gh, 0)
    return h, c, [h]


def step_back(cell: Cell, kept: Any, dh: Any, dc: Any, h: Any, c: Any) -> tuple:
    """Gradients of the two halves of the gates, of the previous h (beyond Wh) and of c.

    `h` and `c` are the previous states, `dh` the gradient of the new h before projection.
    """
    xp = cell.xp
    if cell.mode == "lstm":
        i, f, g, o, new = xp.split(kept, 5, axis=1)
        squashed = xp.tanh(new)
        dc = dc + dh * o * (1 - squashed * squashed)
        if cell.low is not None:
            dc = dc * (new > cell.low)
        if cell.high is not None:
            dc = dc * (new < cell.high)
        parts = dc * g * i * (1 - i), dc * c * f * (1 - f), dc * i * (1 - g * g)
        d = xp.concatenate([*parts, dh * squashed * o * (1 - o)], axis=1)
        return d, d, 0, dc * f
    if cell.mode == "gru":
        r, z, n, hn = xp.split(kept, 4, axis=1)
        dn = dh * (1 - z) * (1 - n * n)
        dr, dz = dn * hn * r * (1 - r), dh * (h - n) * z * (1 - z)
        return (
            xp.concatenate([dr, dz, dn], axis=1),
            xp.concatenate([dr, dz, dn * r], axis=1),
            dh * z,
            dc,
        )
    d = dh * ((1 - kept * kept) if cell.mode == "rnn_tanh" else kept > 0)
    return d, d, 0, dc


def run_layer(
    cell: Cell, w: Weights, x: Any, h: Any, c: Any, steps: Any, inside: Any
) -> tuple[Any, Any, Any, Any]:
    """All steps in the order `steps`: outputs (T, N, P), kept blocks (T, N, K*H), last h and c.

    ``inside``: (T, N, 1) bools, False beyond a sample's end, where its state stands still and its
    output is 0; None if every sample has T steps.
    """
    xp = cell.xp
    gx = x @ w.wx.T + w.bx
    outs: list[Any] = [None] * len(x)
    kept: list[Any] = [None] * len(x)
    for t in steps:
        new_h, new_c, blocks = step(cell, gx[t], h @ w.wh.T + w.bh, h, c)
        new_h = new_h if w.wr is None else new_h @ w.wr.T
        outs[t], kept[t] = new_h, xp.concatenate(blocks, axis=1)
        if inside is not None:
            outs[t] = xp.where(inside[t], new_h, 0)
            new_h = xp.where(inside[t], new_h, h)
            new_c = None if c is None else xp.where(inside[t], new_c, c)
        h, c = new_h, new_c
    return xp.stack(outs), xp.stack(kept), h, c


def previous(xp: Any, values: Any, first: Any, steps: range, inside: Any) -> Any:
    """The state before each step, given the states after each."""
    before, state = [None] * len(values), first
    for t in steps:
        before[t] = state
        state = values[t] if inside is None else xp.where(inside[t], values[t], state)
    return xp.stack(before)


def run_layer_back(
    cell: Cell,
    w: Weights,
    x: Any,
    states: tuple[Any, Any],
    outs: Any,
    kept: Any,
    d_outs: Any,
    d_last: tuple[Any, Any],
    steps: range,
    inside: Any,
) -> tuple[Any, Weights, Any, Any]:
    """Gradients of x, the weights, and the first h and c."""
    xp = cell.xp
    units = kept.shape[2] // KEPT[cell.mode]
    hs = previous(xp, outs, states[0], steps, inside)
    cs = hs
    if cell.mode == "lstm":
        cs = previous(xp, kept[..., -units:], states[1], steps, inside)
    dgx, dgh = [None] * len(x), [None] * len(x)
    dh, dc = d_last
    d_wr = None if w.wr is None else xp.zeros_like(w.wr)
    for t in reversed(steps):
        on = 1 if inside is None else inside[t]
        dh_new, dc_new = (dh + d_outs[t]) * on, dc * on
        if w.wr is not None:
            raw = kept[t][:, 3 * units : 4 * units] * xp.tanh(kept[t][:, 4 * units :])
            d_wr = d_wr + dh_new.T @ raw
            dh_new = dh_new @ w.wr
        dgx[t], dgh[t], more, dc_new = step_back(cell, kept[t], dh_new, dc_new, hs[t], cs[t])
        dh = dgh[t] @ w.wh + more + dh * (1 - on)
        dc = dc_new + dc * (1 - on)
    dgx, dgh = xp.stack(dgx), xp.stack(dgh)
    flat_x, flat_h = dgx.reshape(-1, dgx.shape[2]), dgh.reshape(-1, dgh.shape[2])
    grads = Weights(
        wx=flat_x.T @ x.reshape(-1, x.shape[2]),
        wh=flat_h.T @ hs.reshape(-1, hs.shape[2]),
        wr=d_wr,
        bx=flat_x.sum(axis=0),
        bh=flat_h.sum(axis=0),
    )
    return dgx @ w.wx, grads, dh, dc
