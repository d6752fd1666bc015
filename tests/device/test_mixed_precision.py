"""Mixed precision on a GPU gives what it gives on the CPU: both APIs, scales, optimizers."""

from __future__ import annotations

import numpy as np
import pytest

import baryon as mx
from baryon import state
from baryon.contrib import amp

TYPES = ["float16", "bfloat16"]


@pytest.fixture(params=TYPES)
def mixed(request):
    """Mixed precision switched on for one test."""
    amp.init(request.param)
    yield request.param
    state.set_precision(None)


def trained_gluon(ctx, steps=8):
    """A network with all kinds of layers that amp treats; its losses and the last scale."""
    mx.random.seed(1)
    net = mx.gluon.nn.HybridSequential()
    net.add(
        mx.gluon.nn.Conv2D(4, 3, in_channels=2),
        mx.gluon.nn.BatchNorm(in_channels=4),
        mx.gluon.nn.Activation("relu"),
        mx.gluon.nn.MaxPool2D(),
        mx.gluon.nn.Dense(3, in_units=16),
    )
    net.initialize(mx.init.Xavier(), ctx=mx.cpu())
    net.collect_params().reset_ctx(ctx)
    net.hybridize()
    trainer = mx.gluon.Trainer(net.collect_params(), "sgd", {"learning_rate": 0.1})
    amp.init_trainer(trainer)
    loss_of = mx.gluon.loss.SoftmaxCrossEntropyLoss()
    rng = np.random.default_rng(2)
    data = mx.nd.array(rng.normal(size=(8, 2, 6, 6)), ctx=ctx)
    label, losses = mx.nd.array(np.arange(8) % 3, ctx=ctx), []
    for _ in range(steps):
        with mx.autograd.record():
            loss = loss_of(net(data), label)
            with amp.scale_loss(loss, trainer) as scaled:
                mx.autograd.backward(scaled)
        trainer.step(8)
        losses.append(float(loss.mean().asscalar()))
    return losses, trainer._amp_loss_scaler.loss_scale


def test_gluon_trains_as_on_the_cpu(mixed):
    (got, scale), (want, same) = trained_gluon(mx.gpu(0)), trained_gluon(mx.cpu())
    assert scale == same and got[-1] < got[0]
    np.testing.assert_allclose(got, want, rtol={"float16": 5e-3, "bfloat16": 4e-2}[mixed])


def test_a_module_trains_as_on_the_cpu(mixed):
    def trained(ctx):
        data = mx.sym.FullyConnected(mx.sym.var("data"), num_hidden=8, name="fc1")
        data = mx.sym.FullyConnected(
            mx.sym.Activation(data, act_type="tanh"), num_hidden=3, name="fc2"
        )
        module = mx.mod.Module(mx.sym.SoftmaxOutput(data, name="softmax"), context=ctx)
        rng = np.random.default_rng(3)
        batches = mx.io.NDArrayIter(
            rng.normal(size=(32, 5)).astype("float32"), np.arange(32) % 3, 8
        )
        mx.random.seed(5)
        module.fit(
            batches, num_epoch=2, initializer=mx.init.Constant(0.1), eval_metric="ce",
            optimizer_params={"learning_rate": 0.05},
        )  # fmt: skip
        return {k: v.asnumpy() for k, v in module.get_params()[0].items()}

    got, want = trained(mx.gpu(0)), trained(mx.cpu())
    for name, value in want.items():
        tolerance = {"float16": 2e-3, "bfloat16": 2e-2}[mixed]
        np.testing.assert_allclose(got[name], value, atol=tolerance, err_msg=name)


def test_a_step_that_overflows_is_passed_over_and_halves_the_scale():
    amp.init("float16")
    try:
        net = mx.gluon.nn.Dense(1, in_units=2)
        net.initialize(mx.init.One(), ctx=mx.gpu(0))
        trainer = mx.gluon.Trainer(net.collect_params(), "sgd", {"learning_rate": 1.0})
        amp.init_trainer(trainer)
        data, before = mx.nd.full((1, 2), 1e4, ctx=mx.gpu(0)), net.weight.data().asnumpy()
        for _ in range(2):
            with mx.autograd.record(), amp.scale_loss(net(data), trainer) as scaled:
                mx.autograd.backward(scaled)
            trainer.step(1)
        np.testing.assert_array_equal(net.weight.data().asnumpy(), before)
        assert trainer._amp_loss_scaler.loss_scale == 2.0**15
    finally:
        state.set_precision(None)


@pytest.mark.parametrize("dtype", TYPES)
@pytest.mark.parametrize("name", ("sgd", "nag", "adam", "adamw", "lamb", "lars", "ftml", "signum"))
def test_optimizers_keep_weights_in_full_precision(name, dtype):
    def stepped(ctx):
        optimizer = mx.optimizer.create(name, learning_rate=0.01, multi_precision=True)
        rng = np.random.default_rng(4)
        weight = mx.nd.array(rng.normal(size=(3, 4)), ctx=ctx, dtype=dtype)
        optimizer_state = optimizer.create_state_multi_precision(0, weight)
        for _ in range(3):
            grad = mx.nd.array(rng.normal(size=(3, 4)), ctx=ctx, dtype=dtype)
            optimizer.update_multi_precision(0, weight, grad, optimizer_state)
        return weight.astype("float32").asnumpy()

    got, want = stepped(mx.gpu(0)), stepped(mx.cpu())
    np.testing.assert_allclose(got, want, rtol={"float16": 2e-3, "bfloat16": 1e-2}[dtype])
