"""Recomputation in the backward pass: the same gradients from less memory."""

from __future__ import annotations

import numpy as np
import pytest

import baryon as mx
from baryon.gluon.model_zoo import vision


def network(dropout=False):
    x = mx.sym.var("data")
    for i in range(4):
        y = mx.sym.Convolution(x, num_filter=4, kernel=(3, 3), pad=(1, 1), name=f"conv{i}")
        y = mx.sym.BatchNorm(y, fix_gamma=bool(i % 2), name=f"bn{i}")
        y = mx.sym.Activation(y, act_type="tanh")
        x = mx.sym.Dropout(y, p=0.5) if dropout else (y if i == 0 else x + y)
    x = mx.sym.Pooling(x, global_pool=True, kernel=(1, 1), pool_type="avg")
    return mx.sym.MakeLoss(mx.sym.sum(x.square()))


def train(net, steps=2):
    """Outputs, gradients, states and plan after some passes."""
    mx.random.seed(3)
    exe = net.simple_bind(mx.cpu(), data=(2, 4, 16, 16))
    rng = np.random.RandomState(0)
    for x in (*exe.arg_arrays, *exe.aux_arrays):
        x[:] = rng.rand(*x.shape)
    for _ in range(steps):
        exe.forward(is_train=True)
        exe.backward()
    arrays = (*exe.outputs, *exe.grad_arrays, *exe.arg_arrays, *exe.aux_arrays)
    return [x.asnumpy() for x in arrays], exe.memory_plan()


@pytest.mark.parametrize("dropout", [False, True])
def test_gradients_stay_and_memory_falls(monkeypatch, dropout):
    net = network(dropout)
    want, plan = train(net)
    monkeypatch.setenv("MXNET_BACKWARD_DO_MIRROR", "1")
    found, mirrored = train(net)
    for a, b in zip(want, found, strict=True):
        np.testing.assert_array_equal(a, b)
    assert mirrored.planned < plan.planned


def test_a_node_may_ask_for_it():
    x = mx.sym.var("data")
    with mx.AttrScope(__force_mirroring__="True"):
        y = mx.sym.Convolution(x, num_filter=16, kernel=(1, 1), name="conv")
    net = mx.sym.MakeLoss(mx.sym.sum(mx.sym.square(y)))
    with_it, without = (
        mx.sym.load_json(net.tojson().replace("__force_mirroring__", key)).simple_bind(
            mx.cpu(), data=(2, 4, 16, 16)
        )
        for key in ("__force_mirroring__", "__other__")
    )
    runs = [exe.debug_str().count("conv: ") for exe in (without, with_it)]
    assert runs == [1, 2]
    for exe in (with_it, without):
        for i, array in enumerate(exe.arg_arrays):
            array[:] = i + 1
        exe.forward(is_train=True)
        exe.backward()
    for a, b in zip(with_it.grad_arrays, without.grad_arrays, strict=True):
        np.testing.assert_array_equal(a.asnumpy(), b.asnumpy())


def test_resnet_50(monkeypatch):
    """In MB, batch 32: MXNet's own plan takes 2,901 for training and 300 for inference."""
    out = mx.sym.SoftmaxOutput(vision.resnet50_v1()(mx.sym.var("data")), name="softmax")
    reqs = {n: "null" if n in ("data", "softmax_label") else "write" for n in out.list_arguments()}

    def plan(train):
        exe = out.simple_bind(mx.cpu(), grad_req=reqs, data=(32, 3, 224, 224))
        return exe.memory_plan(train)

    training, inference = plan(True), plan(False)
    assert training.planned <= 1500 * 2**20
    assert inference.planned <= 250 * 2**20
    monkeypatch.setenv("MXNET_BACKWARD_DO_MIRROR", "1")
    assert plan(True).planned < training.planned
    monkeypatch.setenv("BARYON_RECOMPUTE", "0")
    mirrored = plan(True).planned
    monkeypatch.setenv("MXNET_BACKWARD_DO_MIRROR", "0")
    assert mirrored <= 0.6 * plan(True).planned


def test_hybridized_blocks_mirror_too(monkeypatch):
    def run():
        mx.random.seed(1)
        net = vision.resnet18_v1(classes=3, thumbnail=True)
        net.initialize()
        net.hybridize()
        x = mx.nd.random.normal(shape=(2, 3, 8, 8))
        with mx.autograd.record():
            loss = net(x).square().sum()
        loss.backward()
        grads = [p.grad().asnumpy() for p in net.collect_params().values() if p.grad_req != "null"]
        return grads

    want = run()
    monkeypatch.setenv("MXNET_BACKWARD_DO_MIRROR", "1")
    found = run()
    for a, b in zip(want, found, strict=True):
        np.testing.assert_array_equal(a, b)
