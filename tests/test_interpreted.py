"""Graphs whose shapes depend on values: bound, differentiated and hybridized all the same."""

from __future__ import annotations

import numpy as np
import pytest

import baryon as mx

X = np.arange(8.0).reshape(4, 2)


def graph():
    picked = mx.sym.contrib.boolean_mask(mx.sym.var("x") * 2, mx.sym.var("index"))
    return mx.sym.square(picked, name="out")


def bound(req="write"):
    args = {"x": mx.nd.array(X), "index": mx.nd.array([0, 1, 0, 1])}
    return graph().bind(mx.cpu(), args, {"x": mx.nd.ones((4, 2))}, {"x": req, "index": "null"})


@pytest.mark.parametrize(("req", "before"), [("write", 0), ("add", 1)])
def test_forward_and_backward(req, before):
    exe = bound(req)
    out = exe.forward(is_train=True)[0]
    np.testing.assert_array_equal(out.asnumpy(), (2 * X[[1, 3]]) ** 2)
    exe.backward([mx.nd.ones((2, 2))])
    want = np.where([[0], [1], [0], [1]], 8 * X, 0) + before
    np.testing.assert_array_equal(exe.grad_dict["x"].asnumpy(), want)


def test_results_change_their_size():
    exe = bound()
    for mask in ([1, 1, 1, 1], [0, 0, 0, 1], [0, 0, 0, 0]):
        out = exe.forward(is_train=False, index=mx.nd.array(mask))[0]
        assert out.shape == (sum(mask), 2)


def test_mode_is_passed_on():
    exe = mx.sym.contrib.boolean_mask(
        mx.sym.Dropout(mx.sym.var("x"), p=0.5), mx.sym.var("index")
    ).bind(mx.cpu(), {"x": mx.nd.ones((50, 50)), "index": mx.nd.ones(50)}, grad_req="null")
    assert exe.forward(is_train=False)[0].asnumpy().min() == 1
    assert exe.forward(is_train=True)[0].asnumpy().min() == 0


def test_a_hybridized_block():
    class Picked(mx.gluon.HybridBlock):
        def __init__(self):
            super().__init__()
            self.dense = mx.gluon.nn.Dense(3, flatten=False)

        def hybrid_forward(self, F, x, index):
            return F.contrib.boolean_mask(self.dense(x), index).sum()

    net = Picked()
    net.initialize(mx.init.One())
    x, index = mx.nd.array(X), mx.nd.array([1, 0, 0, 1])
    results = []
    for hybrid in (False, True):
        net.hybridize(hybrid)
        with mx.autograd.record():
            y = net(x, index)
        y.backward()
        results.append((y.asnumpy(), net.dense.weight.grad().asnumpy()))
    for eager, hybridized in zip(*results, strict=True):
        np.testing.assert_array_equal(eager, hybridized)


def test_it_can_be_monitored():
    exe, seen = bound(), {}
    exe.set_monitor_callback(seen.__setitem__)
    exe.forward(is_train=False)
    assert seen["out_output"].shape == (2, 2)
