"""16-bit images on a GPU lie channels last: which nodes do, and that numbers stay the same."""

from __future__ import annotations

import numpy as np
import pytest

import baryon as mx
from baryon import autograd, gluon
from baryon.cuda import cudnn

GPU = mx.gpu(0)


@pytest.fixture(autouse=True)
def _cudnn(cudnn_place):
    if cudnn.library() is None:
        pytest.skip("cuDNN's Python front end is not installed")


class Block(gluon.HybridBlock):
    """A residual block with a projection."""

    def __init__(self, channels, stride, **options):
        super().__init__(**options)
        self.body = gluon.nn.HybridSequential()
        self.body.add(
            gluon.nn.Conv2D(channels, 3, stride, 1, use_bias=False),
            gluon.nn.BatchNorm(),
            gluon.nn.Activation("relu"),
            gluon.nn.Conv2D(channels, 3, 1, 1),
            gluon.nn.BatchNorm(),
        )
        self.side = gluon.nn.Conv2D(channels, 1, stride, use_bias=False)

    def hybrid_forward(self, F, x):
        return F.relu(self.body(x) + self.side(x))


def network():
    mx.random.seed(3)
    net = gluon.nn.HybridSequential()
    net.add(
        gluon.nn.Conv2D(4, 3, 1, 1),
        gluon.nn.MaxPool2D(3, 2, 1),
        Block(4, 1),
        Block(8, 2),
        gluon.nn.GlobalAvgPool2D(),
        gluon.nn.Dense(3),
    )
    return net


def trained(ctx, dtype, steps=4):
    net = network()
    net.initialize(mx.init.Xavier(), ctx=ctx)
    net.cast(dtype)
    net.hybridize()
    trainer = gluon.Trainer(
        net.collect_params(), "sgd", {"learning_rate": 0.02, "multi_precision": True}
    )
    rng, loss_of, losses = np.random.default_rng(0), gluon.loss.SoftmaxCrossEntropyLoss(), []
    for _ in range(steps):
        x = mx.nd.array(rng.normal(size=(4, 2, 12, 12)), ctx=ctx, dtype=dtype)
        y = mx.nd.array(rng.integers(0, 3, 4), ctx=ctx)
        with autograd.record():
            loss = loss_of(net(x).astype("float32"), y)
        loss.backward()
        trainer.step(4)
        losses.append(loss.asnumpy())
    return np.array(losses), net(x).astype("float32").asnumpy()


def instructions(train, dtype="float16"):
    """Instructions of the network's program in a mode."""
    out = network()(mx.sym.var("data"))
    types = dict.fromkeys(out.list_inputs(), dtype)
    req = "write" if train else "null"
    exe = out.simple_bind(GPU, data=(4, 2, 12, 12), type_dict=types, grad_req=req)
    return exe._program(train).lowered.instructions


@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
def test_training_and_inference_give_the_numbers_of_the_cpu(dtype):
    want, wanted = trained(mx.cpu(), dtype)
    got, made = trained(GPU, dtype)
    how = {"rtol": 2e-2, "atol": 2e-2} if dtype == "float16" else {"rtol": 1e-1, "atol": 1e-1}
    np.testing.assert_allclose(got, want, **how)
    np.testing.assert_allclose(made, wanted, **how)


def test_images_are_turned_at_the_edges_alone():
    made = instructions(True)
    for i in made:
        if "Convolution" in i.op.name or "Pooling" in i.op.name:
            assert i.params.layout == "NHWC", i.name
        elif "BatchNorm" in i.op.name:
            assert i.params.axis == 3, i.name
    names = [i.op.name for i in made]
    assert names.count("_to_channels_last") <= 6  # the image and weights of more than one place
    assert names.count("_to_channels_first") <= 6  # their gradients


def test_setting_and_other_types_leave_images_as_they_are(monkeypatch):
    assert "_to_channels_last" not in [i.op.name for i in instructions(True, "float32")]
    monkeypatch.setenv("BARYON_LAYOUT", "0")
    assert "_to_channels_last" not in [i.op.name for i in instructions(True)]


def test_what_follows_joins():
    """A batch norm takes in relu, the later branch of a block the sum and relu."""
    names = [i.op.name for i in instructions(True)]
    assert names.count("_fused_BatchNorm") == names.count("_fused_Convolution") == 2
    assert not {"Activation", "_fused_chain"}.intersection(names[: names.index("FullyConnected")])
    names = [i.op.name for i in instructions(False)]
    assert names.count("_fused_Convolution") == 6
    assert not {"BatchNorm", "Activation", "_fused_chain"}.intersection(names)
