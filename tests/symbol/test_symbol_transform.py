"""Symbols made from symbols: gradients, and the same with fewer nodes."""

from __future__ import annotations

import numpy as np
import pytest

import baryon as mx


def loss():
    x = mx.sym.var("x")
    net = mx.sym.FullyConnected(mx.sym.Dropout(x, p=0.0), num_hidden=3, name="fc")
    return mx.sym.MakeLoss(mx.sym.sum(mx.sym.tanh(net)))


@pytest.mark.parametrize("written", [False, True])
def test_gradients_are_what_backward_computes(written):
    found = loss().gradient(["fc_weight", "x"])
    if written:
        found = mx.sym.load_json(found.tojson())
    assert found.list_arguments() == ["x", "fc_weight", "fc_bias"]
    assert found.infer_shape(x=(2, 5))[1] == [(3, 5), (2, 5)]
    exe = loss().simple_bind(mx.cpu(), x=(2, 5))
    for i, array in enumerate(exe.arg_arrays):
        array[:] = np.random.RandomState(i).randn(*array.shape)
    exe.forward(is_train=True)
    exe.backward()
    grads = found.bind(mx.cpu(), exe.arg_dict).forward(is_train=True)
    for name, grad in zip(("fc_weight", "x"), grads, strict=True):
        np.testing.assert_allclose(grad.asnumpy(), exe.grad_dict[name].asnumpy(), rtol=1e-6)


def test_gradients_of_gradients_are_refused():
    with pytest.raises(mx.MXNetError, match="not supported"):
        mx.sym.sum(loss().gradient(["x"])).simple_bind(mx.cpu(), x=(2, 5))
    with pytest.raises(mx.MXNetError, match="'y' is not an input"):
        loss().gradient(["y"])


def test_equal_nodes_are_merged():
    x = mx.sym.var("x")
    parts = [mx.sym.tanh(mx.sym.FullyConnected(x, w, no_bias=True, num_hidden=2))
             for w in [mx.sym.var("w")] * 3]  # fmt: skip
    net = (parts[0] + parts[1] * parts[2]) * (mx.sym.Dropout(x) + mx.sym.Dropout(x))
    args = {"x": mx.nd.array([[1.0, 2.0]]), "w": mx.nd.array([[0.5, 0.1], [0.2, 0.3]])}
    better = net.optimize_for("MKLDNN", args, {}, mx.cpu(), type_dict={"x": "float32"})
    names = better.get_internals().list_outputs()
    assert sum("tanh" in n for n in names) == 1 and sum("dropout" in n for n in names) == 2
    for a, b in zip(net.eval(**args), better.eval(**args), strict=True):
        np.testing.assert_array_equal(a.asnumpy(), b.asnumpy())
    with mx.AttrScope(ctx_group="other"):
        apart = mx.sym.tanh(x) + mx.sym.tanh(x, attr={"__mood__": "calm"})
    assert len(apart.get_backend_symbol("baryon").get_internals()) == 4


def test_backends_and_facts_are_checked():
    net = mx.sym.FullyConnected(mx.sym.var("x"), num_hidden=2)
    with pytest.warns(UserWarning, match="no backend 'warp'"):
        assert net.optimize_for("warp") is net
    with pytest.raises(mx.MXNetError, match="no backend 'warp'"):
        net.get_backend_symbol("warp")
    with pytest.raises(mx.MXNetError):
        net.optimize_for("baryon", {"fullyconnected0_weight": mx.nd.ones((3, 3))})
    with pytest.raises(ValueError, match="fold"):
        net.optimize_for("baryon", fold=True)
    with pytest.raises(TypeError, match="dict"):
        net.optimize_for("baryon", [mx.nd.ones(2)])
