"""Recurrent networks in inference: no memory for a backward pass, and weights kept packed."""

from __future__ import annotations

import numpy as np
import pytest
from test_layout import names

import baryon as mx

WIDTH, UNITS = 9, 20


def network(mode, layers=2, bidirectional=False, outputs=False):
    states = [mx.sym.var("h"), mx.sym.var("c")][: 2 if mode == "lstm" else 1]
    sizes = {"state_size": UNITS, "num_layers": layers, "bidirectional": bidirectional}
    return mx.sym.RNN(
        mx.sym.var("x"), mx.sym.var("w"), *states, mode=mode, state_outputs=outputs, **sizes
    )


def bound(symbol, steps, batch, grad_req="null"):
    executor = symbol.simple_bind(mx.cpu(), grad_req=grad_req, x=(steps, batch, WIDTH))
    rng = np.random.default_rng(7)
    for array in executor.arg_dict.values():
        array[:] = rng.normal(size=array.shape) * 0.4
    return executor


@pytest.mark.parametrize("batch", [1, 4, 25])
@pytest.mark.parametrize("both", [False, True])
@pytest.mark.parametrize("mode", ["rnn_relu", "rnn_tanh", "gru", "lstm"])
def test_inference_gives_what_the_plain_operator_gives(mode, both, batch, monkeypatch):
    symbol = network(mode, bidirectional=both, outputs=True)
    executor = bound(symbol, 13, batch)
    for _ in range(3):  # weights are seen, packed, used
        got = [x.asnumpy() for x in executor.forward(is_train=False)]
    assert names(executor, train=False) == ["_inference_RNN"]
    monkeypatch.setenv("BARYON_FUSE", "0")
    plain = bound(symbol, 13, batch)
    want = [x.asnumpy() for x in plain.forward(is_train=False)]
    assert names(plain, train=False) == ["RNN"]
    for a, b in zip(got, want, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-5)


def test_what_a_backward_pass_reads_is_kept():
    executor = bound(network("lstm"), 5, 4, grad_req="write")
    executor.forward(is_train=True)
    executor.backward(mx.nd.ones((5, 4, UNITS)))
    assert names(executor)[0] == "RNN"


def layer(kind, **more):
    made = kind(UNITS, num_layers=2, input_size=WIDTH, **more)
    made.initialize(mx.init.Uniform(0.4))
    return made


@pytest.mark.parametrize("kind", [mx.gluon.rnn.LSTM, mx.gluon.rnn.GRU, mx.gluon.rnn.RNN])
def test_layers_read_their_weights_where_they_lie(kind):
    net = layer(kind, bidirectional=True)
    x = mx.nd.array(np.random.default_rng(1).normal(size=(7, 15, WIDTH)))
    want = net(x).asnumpy()
    net.hybridize()
    for _ in range(4):
        np.testing.assert_allclose(net(x).asnumpy(), want, rtol=1e-4, atol=1e-5)
    for p in net.collect_params().values():  # what was packed of them is worth no more
        p.set_data(p.data() * 1.5)
    got = net(x).asnumpy()
    net.hybridize(active=False)
    assert abs(got - want).max() > 0.01
    np.testing.assert_allclose(got, net(x).asnumpy(), rtol=1e-4, atol=1e-5)


def test_one_weight_written_in_place_is_seen():
    net = layer(mx.gluon.rnn.LSTM)
    x = mx.nd.array(np.random.default_rng(1).normal(size=(7, 15, WIDTH)))
    net.hybridize()
    for _ in range(4):
        before = net(x).asnumpy()
    net.l1_h2h_weight.data()[3, :] = 0.7
    got = net(x).asnumpy()
    net.hybridize(active=False)
    assert abs(got - before).max() > 1e-3
    np.testing.assert_allclose(got, net(x).asnumpy(), rtol=1e-4, atol=1e-5)


def test_long_batches_pass_in_blocks():
    """More rows than go through a product together, on one thread and on several."""
    symbol, before, found = network("gru", layers=1), mx.num_threads(), []
    try:
        for threads in (1, 2):
            mx.set_num_threads(threads)
            executor = bound(symbol, 150, 13)
            found.append(executor.forward(is_train=False)[0].asnumpy())
    finally:
        mx.set_num_threads(before)
    np.testing.assert_allclose(found[0], found[1], rtol=1e-5, atol=1e-6)
    steps = bound(symbol, 150, 13).arg_dict
    first = mx.nd.RNN(
        steps["x"][:70], steps["w"], steps["h"],
        state_size=UNITS, num_layers=1, mode="gru", state_outputs=True,
    )  # fmt: skip
    rest = mx.nd.RNN(
        steps["x"][70:], steps["w"], first[1], state_size=UNITS, num_layers=1, mode="gru"
    )
    joined = np.concatenate([first[0].asnumpy(), rest.asnumpy()])
    np.testing.assert_allclose(found[0], joined, rtol=1e-4, atol=1e-5)
