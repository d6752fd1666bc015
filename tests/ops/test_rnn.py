"""The fused RNN against its unrolled definition, and its rarer forms."""

from __future__ import annotations

import numpy as np
import pytest

import baryon as mx

GATES = {"rnn_relu": 1, "rnn_tanh": 1, "lstm": 4, "gru": 3}
STEPS, BATCH, FEATURES, UNITS = 5, 3, 4, 6


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def unrolled(mode, x, wx, wh, bx, bh):
    """One layer in one direction from zero states: outputs of all steps."""
    h = c = np.zeros((x.shape[1], wh.shape[1]))
    outs = []
    for step in x:
        a, b = step @ wx.T + bx, h @ wh.T + bh
        if mode == "lstm":
            i, f, g, o = np.split(a + b, 4, axis=1)
            c = sigmoid(f) * c + sigmoid(i) * np.tanh(g)
            h = sigmoid(o) * np.tanh(c)
        elif mode == "gru":
            (ar, az, an), (br, bz, bn) = np.split(a, 3, axis=1), np.split(b, 3, axis=1)
            z = sigmoid(az + bz)
            h = (1 - z) * np.tanh(an + sigmoid(ar + br) * bn) + z * h
        else:
            h = np.tanh(a + b) if mode == "rnn_tanh" else np.maximum(a + b, 0)
        outs.append(h)
    return np.stack(outs)


def inputs(mode, scale=0.3):
    rows = GATES[mode] * UNITS
    shapes = [(rows, FEATURES), (rows, UNITS), (rows,), (rows,)]
    parts = [np.random.normal(size=s) * scale for s in shapes]
    return np.random.normal(size=(STEPS, BATCH, FEATURES)), parts


def states(mode, layers=1, directions=1):
    zeros = mx.nd.zeros((layers * directions, BATCH, UNITS))
    return [zeros, zeros] if mode == "lstm" else [zeros]


def flat(parts):
    return mx.nd.array(np.concatenate([p.ravel() for p in parts]))


@pytest.mark.parametrize("mode", GATES)
def test_one_layer(mode):
    x, parts = inputs(mode)
    out = mx.nd.RNN(
        mx.nd.array(x), flat(parts), *states(mode), mode=mode, state_size=UNITS, num_layers=1
    )
    np.testing.assert_allclose(out.asnumpy(), unrolled(mode, x, *parts), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("mode", GATES)
def test_wide_layer_and_its_slope(mode):
    rng, units, gates = np.random.default_rng(7), 131, GATES[mode] * 131  # no multiple of a tile
    sizes = [(4, 17, 70), (gates, 70), (gates, units), (gates,), (gates,)]
    at = [rng.normal(size=s) * 0.1 for s in sizes]
    along, weight = [rng.normal(size=s) for s in sizes], rng.normal(size=(4, 17, units))

    x, w = (
        mx.nd.array(v, dtype="float64") for v in (at[0], np.concatenate([*map(np.ravel, at[1:])]))
    )
    x.attach_grad()
    w.attach_grad()
    zero = mx.nd.zeros((1, 17, units), dtype="float64")
    with mx.autograd.record():
        out = mx.nd.RNN(
            x, w, *[zero] * (1 + (mode == "lstm")), mode=mode, state_size=units, num_layers=1
        )
    out.backward(mx.nd.array(weight, dtype="float64"))
    np.testing.assert_allclose(out.asnumpy(), unrolled(mode, *at), rtol=1e-9, atol=1e-9)
    there, back = (
        (unrolled(mode, *[a + e * d for a, d in zip(at, along, strict=True)]) * weight).sum()
        for e in (1e-6, -1e-6)
    )
    slope = (x.grad.asnumpy() * along[0]).sum()
    slope += w.grad.asnumpy() @ np.concatenate([*map(np.ravel, along[1:])])
    np.testing.assert_allclose(slope, (there - back) / 2e-6, rtol=1e-5)


@pytest.mark.parametrize("mode", ["lstm", "gru"])
def test_second_direction_runs_from_the_end(mode):
    x, there = inputs(mode)
    _, back = inputs(mode)
    parameters = flat([*there[:2], *back[:2], *there[2:], *back[2:]])
    out = mx.nd.RNN(
        mx.nd.array(x), parameters, *states(mode, directions=2),
        mode=mode, state_size=UNITS, num_layers=1, bidirectional=True,
    ).asnumpy()  # fmt: skip
    np.testing.assert_allclose(out[..., :UNITS], unrolled(mode, x, *there), rtol=1e-4, atol=1e-5)
    want = unrolled(mode, x[::-1], *back)[::-1]
    np.testing.assert_allclose(out[..., UNITS:], want, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("mode", ["rnn_tanh", "lstm", "gru"])
def test_a_sample_stops_at_its_length(mode):
    x, parts = inputs(mode)
    lengths = np.array([5, 2, 3])
    out, last, *_ = mx.nd.RNN(
        mx.nd.array(x), flat(parts), *states(mode), mx.nd.array(lengths), mode=mode,
        state_size=UNITS, num_layers=1, use_sequence_length=True, state_outputs=True,
    )  # fmt: skip
    want = unrolled(mode, x, *parts)
    for n, length in enumerate(lengths):
        got = out.asnumpy()[:length, n]
        np.testing.assert_allclose(got, want[:length, n], rtol=1e-4, atol=1e-5)
        assert (out.asnumpy()[length:, n] == 0).all()
        np.testing.assert_allclose(last.asnumpy()[0, n], want[length - 1, n], rtol=1e-4, atol=1e-5)


def test_cell_state_stays_within_its_bounds():
    x, parts = inputs("lstm", scale=2.0)
    *_, cell = mx.nd.RNN(
        mx.nd.array(x * 5), flat(parts), *states("lstm"), mode="lstm", state_size=UNITS,
        num_layers=1, state_outputs=True, lstm_state_clip_min=-0.1, lstm_state_clip_max=0.2,
    )  # fmt: skip
    assert cell.asnumpy().min() >= np.float32(-0.1) and cell.asnumpy().max() <= np.float32(0.2)


def test_dropout_acts_between_layers_in_training():
    size = 4 * UNITS * (FEATURES + UNITS) + 4 * UNITS * 2 * UNITS + 16 * UNITS
    args = [mx.nd.random.normal(shape=(STEPS, BATCH, FEATURES)), mx.nd.random.normal(shape=(size,))]
    args += states("lstm", layers=2)
    attrs = {"mode": "lstm", "state_size": UNITS, "num_layers": 2}
    plain = mx.nd.RNN(*args, **attrs).asnumpy()
    np.testing.assert_array_equal(mx.nd.RNN(*args, p=0.5, **attrs).asnumpy(), plain)
    with mx.autograd.train_mode():
        assert not np.allclose(mx.nd.RNN(*args, p=0.5, **attrs).asnumpy(), plain)


def test_shapes_of_parameters_and_states_are_inferred():
    net = mx.sym.RNN(mx.sym.Variable("data"), mode="lstm", state_size=6, num_layers=2, name="rnn")
    shapes = dict(zip(net.list_arguments(), net.infer_shape(data=(5, 3, 4))[0], strict=True))
    assert shapes["rnn_parameters"] == (4 * 6 * (4 + 6 + 6 + 6) + 4 * 4 * 6,)
    assert shapes["rnn_state"] == shapes["rnn_state_cell"] == (2, 3, 6)


@pytest.mark.parametrize("mode", ["rnn_tanh", "lstm", "gru"])
@pytest.mark.parametrize("units", [5, 33])
def test_samples_do_not_know_of_each_other(mode, units):
    """A batch large enough to be shared out to threads gives what its samples give one by one."""
    steps, batch, features, both = 4, 13, 3, 2
    size = both * {"rnn_tanh": 1, "lstm": 4, "gru": 3}[mode] * units * (features + units + 2)
    rng = np.random.default_rng(units)
    x, h, c, dy = (
        mx.nd.array(rng.normal(size=s))
        for s in (
            (steps, batch, features),
            *[(both, batch, units)] * 2,
            (steps, batch, both * units),
        )
    )
    w = mx.nd.array(rng.normal(size=size) / 4)

    def run(of: slice) -> list:
        data, state, cell = x[:, of].copy(), h[:, of].copy(), c[:, of].copy()
        inputs = [data, w, state] + [cell] * (mode == "lstm")
        for a in inputs:
            a.attach_grad()
        with mx.autograd.record():
            y = mx.nd.RNN(*inputs, mode=mode, state_size=units, num_layers=1, bidirectional=True)
        y.backward(dy[:, of])
        return [a.asnumpy() for a in (y, data.grad, w.grad, state.grad)]

    whole = run(slice(0, batch))
    alone = [run(slice(i, i + 1)) for i in range(batch)]
    for i, join in enumerate((np.hstack, np.hstack, sum, np.hstack)):
        want = join([part[i] for part in alone])
        np.testing.assert_allclose(whole[i], want, rtol=1e-4, atol=1e-5)
