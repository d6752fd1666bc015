"""FullyConnected of 16-bit types with what follows in one kernel of cuDNN's."""

from __future__ import annotations

import numpy as np
import pytest
from test_kernels import SAMPLES, compare, launched

import baryon as mx
from baryon.cuda import cudnn

GPU = mx.gpu(0)
NAMES = {"FullyConnected", "_fused_FullyConnected"}
CASES = {n: c for n, c in SAMPLES.items() if c.op.name in NAMES}


@pytest.fixture(autouse=True)
def _cudnn(cudnn_place):
    if cudnn.library() is None:
        pytest.skip("cuDNN's Python front end is not installed")


@pytest.mark.parametrize("call", CASES.values(), ids=list(CASES))
def test_samples(call):
    compare(call, launched(call))


def perceptron(ctx, train, dtype="float16"):
    x = mx.sym.var("data")
    x = mx.sym.FullyConnected(x, num_hidden=16, name="a")
    x = mx.sym.LeakyReLU(x, act_type="gelu")
    x = mx.sym.Activation(mx.sym.FullyConnected(x, num_hidden=8, name="b"), act_type="relu")
    x = mx.sym.FullyConnected(x, num_hidden=3, name="c")
    types = dict.fromkeys(x.list_arguments(), dtype)
    req = "write" if train else "null"
    exe = x.simple_bind(ctx, data=(4, 10), type_dict=types, grad_req=req)
    rng = np.random.default_rng(1)
    for array in exe.arg_dict.values():
        array[:] = rng.normal(size=array.shape) / 2
    found = {}
    for _ in range(4):  # a run, a capture and two replays
        found["out"] = exe.forward(is_train=train)[0].asnumpy().astype(np.float32)
        if train:
            exe.backward(mx.nd.ones((4, 3), ctx=ctx, dtype=dtype))
            found |= {n: g.asnumpy().astype(np.float32) for n, g in exe.grad_dict.items()}
    return exe, found


@pytest.mark.parametrize("train", [False, True])
def test_activations_join(train):
    """Of what the gradient reads, sums before gelu are kept, and relu reads its own result."""
    exe, got = perceptron(GPU, train)
    _, want = perceptron(mx.cpu(), train)
    for name, value in want.items():
        np.testing.assert_allclose(got[name], value, rtol=2e-2, atol=2e-2, err_msg=name)
    calls = [i for i in exe._program(train).lowered.instructions if "Fully" in i.op.name]
    forward = [i for i in calls if not i.op.is_gradient]
    assert [i.op.name for i in forward] == ["_fused_FullyConnected"] * 2 + ["FullyConnected"]
    assert [i.params.keeps for i in forward[:2]] == [train, False]
    assert exe._program(train).on_gpu(0).refusal is None


def test_float32_is_left_to_cublas():
    exe, _ = perceptron(GPU, False, "float32")
    assert "_fused_FullyConnected" not in {
        i.op.name for i in exe._program(False).lowered.instructions
    }
