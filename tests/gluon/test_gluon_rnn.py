"""Recurrent cells and layers against NumPy and each other."""

from __future__ import annotations

import numpy as np
import pytest

import baryon as mx
from baryon import gluon
from baryon.gluon import rnn

CELLS = {
    "rnn": lambda **k: rnn.RNNCell(4, **k),
    "relu": lambda **k: rnn.RNNCell(4, activation="relu", **k),
    "lstm": lambda **k: rnn.LSTMCell(4, **k),
    "gru": lambda **k: rnn.GRUCell(4, **k),
}


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def step(kind, cell, x, states):
    """One step in NumPy."""
    get = {n.split("_", 1)[1]: p.data().asnumpy() for n, p in cell.collect_params().items()}
    i2h = x @ get["i2h_weight"].T + get["i2h_bias"]
    h2h = states[0] @ get["h2h_weight"].T + get["h2h_bias"]
    if kind == "rnn":
        out = np.tanh(i2h + h2h)
    elif kind == "relu":
        out = np.maximum(i2h + h2h, 0)
    elif kind == "lstm":
        i, f, c, o = np.split(i2h + h2h, 4, axis=1)
        memory = sigmoid(f) * states[1] + sigmoid(i) * np.tanh(c)
        out = sigmoid(o) * np.tanh(memory)
        return out, [out, memory]
    else:
        (ir, iz, i_n), (hr, hz, hn) = np.split(i2h, 3, axis=1), np.split(h2h, 3, axis=1)
        reset, update = sigmoid(ir + hr), sigmoid(iz + hz)
        out = (1 - update) * np.tanh(i_n + reset * hn) + update * states[0]
    return out, [out]


def made(kind, **options):
    cell = CELLS[kind](prefix="c_", **options)
    cell.initialize(mx.init.Normal(0.5))
    return cell


@pytest.mark.parametrize("kind", CELLS)
@pytest.mark.parametrize("hybrid", [False, True])
def test_cells(kind, hybrid):
    cell = made(kind, i2h_bias_initializer="ones")
    if hybrid:
        cell.hybridize()
    x = np.random.randn(2, 3)
    states = [np.random.randn(2, 4) for _ in cell.state_info()]
    out, new = cell(mx.nd.array(x), [mx.nd.array(s) for s in states])
    expected, expected_states = step(kind, cell, x, states)
    np.testing.assert_allclose(out.asnumpy(), expected, rtol=1e-4, atol=1e-5)
    for a, b in zip(new, expected_states, strict=True):
        np.testing.assert_allclose(a.asnumpy(), b, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("kind", CELLS)
@pytest.mark.parametrize("layout", ["NTC", "TNC"])
def test_unrolling(kind, layout):
    cell = made(kind)
    x = np.random.randn(2, 5, 3)
    states = [np.zeros((2, 4)) for _ in cell.state_info()]
    data = mx.nd.array(x if layout == "NTC" else x.transpose(1, 0, 2))
    outputs, last = cell.unroll(5, data, layout=layout)
    assert len(outputs) == 5
    for t in range(5):
        expected, states = step(kind, cell, x[:, t], states)
        np.testing.assert_allclose(outputs[t].asnumpy(), expected, rtol=1e-4, atol=1e-5)
    for a, b in zip(last, states, strict=True):
        np.testing.assert_allclose(a.asnumpy(), b, rtol=1e-4, atol=1e-5)
    merged, _ = cell.unroll(5, data, layout=layout, merge_outputs=True)
    axis = layout.find("T")
    stacked = np.stack([o.asnumpy() for o in outputs], axis)
    np.testing.assert_allclose(merged.asnumpy(), stacked, rtol=1e-6)
    steps = [mx.nd.array(x[:, t]) for t in range(5)]
    listed, _ = cell.unroll(5, steps, layout=layout)
    np.testing.assert_allclose(listed[4].asnumpy(), outputs[4].asnumpy(), rtol=1e-5)


def test_valid_length():
    cell = made("lstm")
    x, lengths = mx.nd.array(np.random.randn(3, 5, 2)), mx.nd.array([5, 2, 3])
    full, _ = cell.unroll(5, x, merge_outputs=True)
    masked, states = cell.unroll(5, x, merge_outputs=True, valid_length=lengths)
    for n, length in enumerate((5, 2, 3)):
        np.testing.assert_allclose(
            masked.asnumpy()[n, :length], full.asnumpy()[n, :length], rtol=1e-6
        )
        assert (masked.asnumpy()[n, length:] == 0).all()
        np.testing.assert_allclose(states[0].asnumpy()[n], full.asnumpy()[n, length - 1], rtol=1e-6)


def test_names_of_symbols():
    out, _ = rnn.LSTMCell(3, prefix="lstm_").unroll(2, mx.sym.var("x"), merge_outputs=True)
    names = [n for n in out.get_internals().list_outputs() if n.startswith("lstm_t1")]
    assert names == [
        "lstm_t1_i2h_output",
        "lstm_t1_h2h_output",
        "lstm_t1_plus0_output",
        "lstm_t1_slice_output0",
        "lstm_t1_slice_output1",
        "lstm_t1_slice_output2",
        "lstm_t1_slice_output3",
        "lstm_t1_o_output",
        "lstm_t1_f_output",
        "lstm_t1_mul0_output",
        "lstm_t1_i_output",
        "lstm_t1_c_output",
        "lstm_t1_mul1_output",
        "lstm_t1_state_output",
        "lstm_t1_activation0_output",
        "lstm_t1_out_output",
    ]


def test_symbols_compute_the_same():
    cell = made("gru")
    x = mx.nd.array(np.random.randn(2, 4, 3))
    expected, _ = cell.unroll(4, x, merge_outputs=True)
    out, _ = cell.unroll(4, mx.sym.var("x"), merge_outputs=True)
    args = {"x": x, **{n: p.data() for n, p in cell.collect_params().items()}}
    actual = out.bind(mx.cpu(), args).forward()[0]
    np.testing.assert_allclose(actual.asnumpy(), expected.asnumpy(), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("container", [rnn.SequentialRNNCell, rnn.HybridSequentialRNNCell])
def test_stacks(container):
    lower, upper = made("lstm"), rnn.GRUCell(3, prefix="d_")
    stack = container()
    stack.add(lower)
    stack.add(upper)
    upper.initialize(mx.init.Normal(0.5))
    assert len(stack) == 2 and stack[1] is upper
    assert [info["shape"] for info in stack.state_info(7)] == [(7, 4), (7, 4), (7, 3)]
    x = mx.nd.array(np.random.randn(2, 5, 3))
    out, states = stack.unroll(5, x, merge_outputs=True)
    between, _ = lower.unroll(5, x, merge_outputs=True)
    expected, _ = upper.unroll(5, between, merge_outputs=True)
    np.testing.assert_allclose(out.asnumpy(), expected.asnumpy(), rtol=1e-5, atol=1e-6)
    one, new = stack(x[:, 0], stack.begin_state(batch_size=2))
    np.testing.assert_allclose(one.asnumpy(), out.asnumpy()[:, 0], rtol=1e-5, atol=1e-6)
    assert len(new) == len(states) == 3


def test_bidirectional_cell():
    left, right = made("rnn"), rnn.RNNCell(4, prefix="r_")
    cell = rnn.BidirectionalCell(left, right)
    right.initialize(mx.init.Normal(0.5))
    x = mx.nd.array(np.random.randn(2, 5, 3))
    out, _ = cell.unroll(5, x, merge_outputs=True)
    forward, _ = left.unroll(5, x, merge_outputs=True)
    backward, _ = right.unroll(5, mx.nd.flip(x, axis=1), merge_outputs=True)
    expected = np.concatenate([forward.asnumpy(), backward.asnumpy()[:, ::-1]], axis=2)
    np.testing.assert_allclose(out.asnumpy(), expected, rtol=1e-5, atol=1e-6)
    lengths = mx.nd.array([5, 2])
    short, _ = cell.unroll(5, x, merge_outputs=True, valid_length=lengths)
    two, _ = cell.unroll(2, x[1:, :2], merge_outputs=True)
    np.testing.assert_allclose(short.asnumpy()[1, :2], two.asnumpy()[0], rtol=1e-5, atol=1e-6)
    with pytest.raises(NotImplementedError, match="cannot be stepped"):
        cell(x[:, 0], cell.begin_state(batch_size=2))


def test_residual_and_zoneout_and_dropout():
    x = mx.nd.array(np.random.randn(2, 5, 4))
    base = made("rnn")
    plain, _ = base.unroll(5, x, merge_outputs=True)
    residual = rnn.ResidualCell(base)
    out, _ = residual.unroll(5, x, merge_outputs=True)
    np.testing.assert_allclose(out.asnumpy(), plain.asnumpy() + x.asnumpy(), rtol=1e-5, atol=1e-6)
    with pytest.raises(AssertionError, match="cannot be called directly"):
        base.begin_state(2)
    assert repr(residual) == "ResidualCell(RNNCell(4 -> 4, tanh))"

    base = made("rnn")
    zoneout = rnn.ZoneoutCell(base, zoneout_outputs=1.0)
    zoneout_never = rnn.ZoneoutCell(made("lstm"), 0.5, 0.5)
    assert [info["shape"] for info in zoneout_never.state_info(3)] == [(3, 4), (3, 4)]
    with mx.autograd.train_mode():
        out, _ = zoneout.unroll(5, x, merge_outputs=True)
    # Every output is the one before it, and the first is zero.
    assert (out.asnumpy() == 0).all()

    dropout = rnn.DropoutCell(0.5)
    with mx.autograd.train_mode():
        dropped, states = dropout.unroll(5, mx.nd.ones((2, 5, 4)), merge_outputs=True)
    assert set(np.unique(dropped.asnumpy())) == {0, 2} and states == []


LAYERS = {"rnn_tanh": rnn.RNN, "lstm": rnn.LSTM, "gru": rnn.GRU}


@pytest.mark.parametrize("kind", LAYERS)
@pytest.mark.parametrize("bidirectional", [False, True])
@pytest.mark.parametrize("layout", ["TNC", "NTC"])
def test_layers_are_their_cells(kind, bidirectional, layout):
    options = {"activation": "tanh"} if kind == "rnn_tanh" else {}
    layer = LAYERS[kind](4, 2, layout=layout, bidirectional=bidirectional, **options)
    layer.initialize(mx.init.Normal(0.4))
    shape = (5, 2, 3) if layout == "TNC" else (2, 5, 3)
    x = mx.nd.array(np.random.randn(*shape))
    out = layer(x)
    stack = layer._unfuse()
    expected, _ = stack.unroll(5, x, layout=layout, merge_outputs=True)
    np.testing.assert_allclose(out.asnumpy(), expected.asnumpy(), rtol=1e-4, atol=1e-5)
    begin = layer.begin_state(2, func=mx.nd.ones)
    eager, states = layer(x, begin)
    layer.hybridize()
    compiled, compiled_states = layer(x, begin)
    np.testing.assert_allclose(compiled.asnumpy(), eager.asnumpy(), rtol=1e-5, atol=1e-6)
    for a, b in zip(compiled_states, states, strict=True):
        np.testing.assert_allclose(a.asnumpy(), b.asnumpy(), rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(layer(x).asnumpy(), out.asnumpy(), rtol=1e-5, atol=1e-6)


def test_layer_gradients_are_those_of_cells():
    layer = rnn.LSTM(3, 2, bidirectional=True, input_size=2)
    layer.initialize(mx.init.Normal(0.4))
    x = mx.nd.array(np.random.randn(4, 2, 2))
    stack, grads = layer._unfuse(), []
    for run in (layer, lambda x: stack.unroll(4, x, layout="TNC", merge_outputs=True)[0]):
        with mx.autograd.record():
            loss = (run(x) ** 2).sum()
        loss.backward()
        grads.append({n: p.grad().asnumpy() for n, p in layer.collect_params().items()})
    for name, grad in grads[0].items():
        np.testing.assert_allclose(grad, grads[1][name], rtol=1e-4, atol=1e-5, err_msg=name)


def test_layer_arguments():
    layer = rnn.GRU(3, 2, dropout=0.3, bidirectional=True)
    assert repr(layer) == "GRU(None -> 3, TNC, num_layers=2, dropout=0.3, bidirectional)"
    with pytest.raises(AssertionError, match="Invalid layout"):
        rnn.LSTM(3, layout="CNT")
    layer = rnn.LSTM(3, input_size=2)
    layer.initialize()
    with pytest.raises(ValueError, match=r"Expecting \(1, 4, 3\), got \(1, 5, 3\)"):
        layer(mx.nd.ones((2, 4, 2)), layer.begin_state(5))
    assert list(layer._collect_params_with_prefix())[0] == "_unfused.0.i2h_weight"


def test_unrolled_cells_inside_a_hybrid_block():
    class Net(gluon.HybridBlock):
        def __init__(self):
            super().__init__()
            with self.name_scope():
                self.cell = rnn.LSTMCell(4)

        def hybrid_forward(self, F, x):
            return self.cell.unroll(3, x, merge_outputs=True)[0]

    net = Net()
    net.initialize(mx.init.Normal(0.4))
    x = mx.nd.array(np.random.randn(2, 3, 5))
    eager = net(x)
    net.hybridize()
    np.testing.assert_allclose(net(x).asnumpy(), eager.asnumpy(), rtol=1e-5, atol=1e-6)
