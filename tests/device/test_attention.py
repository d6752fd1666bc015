"""Attention on a GPU: by cuDNN's operation (its stand-in here), or as products and softmax."""

from __future__ import annotations

import sys

import numpy as np
import pytest
from stand_in import cudnn as fake
from test_cudnn import on_hardware
from test_kernels import SAMPLES, compare, launched

import baryon as mx
from baryon import autograd, gluon
from baryon.cuda import cudnn

GPU = mx.gpu(0)
HARDWARE = mx.context.num_gpus() > 0  # (before the stand-in is installed)
NAMES = {"_fused_attention", "_attention", "_backward_attention"}
CASES = {n: c for n, c in SAMPLES.items() if c.op.name in NAMES and c.dtype != "float32"}


@pytest.fixture(params=["cudnn", "products"])
def library(request, monkeypatch):
    """With cuDNN, or without."""
    if request.param == "products":
        monkeypatch.setenv("BARYON_CUDNN", "0")
    elif not on_hardware():
        monkeypatch.setitem(sys.modules, "cudnn", fake.module())
    cudnn.library.cache_clear()
    yield request.param
    cudnn.library.cache_clear()
    cudnn._plans.clear()
    cudnn._handles.clear()


@pytest.mark.parametrize("call", CASES.values(), ids=list(CASES))
def test_samples(call, library):
    found = launched(call)
    if found is NotImplemented:
        pytest.skip("left to the body")
    compare(call, found)


class Attention(gluon.HybridBlock):
    """Self-attention on (length, batch, width) between two projections."""

    def __init__(self, heads=2, size=8, dropout=0.0, **options):
        super().__init__(**options)
        self.heads, width = heads, heads * size
        self.qkv = gluon.nn.Dense(3 * width, flatten=False)
        self.mix, self.drop = gluon.nn.Dense(width, flatten=False), gluon.nn.Dropout(dropout)

    def hybrid_forward(self, F, x):
        y, ops = self.qkv(x), F.contrib
        seen = self.drop(F.softmax(ops.interleaved_matmul_selfatt_qk(y, heads=self.heads)))
        return self.mix(ops.interleaved_matmul_selfatt_valatt(y, seen, heads=self.heads))


def run(ctx, dtype, dropout=0.0, steps=4):
    """Outputs and gradients of the projection, step by step."""
    mx.random.seed(2)
    net = Attention(dropout=dropout)
    net.initialize(mx.init.Xavier(), ctx=ctx)
    net.cast(dtype)
    net.hybridize()
    rng, found = np.random.default_rng(0), []
    for _ in range(steps):
        x = mx.nd.array(rng.normal(size=(9, 3, 16)), ctx=ctx, dtype=dtype)
        with autograd.record():
            out = net(x)
        out.backward()
        grad = net.qkv.weight.grad(ctx).astype("float32")
        found.append((out.astype("float32").asnumpy(), grad.asnumpy()))
    return found


@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
def test_training_gives_the_numbers_of_the_cpu(dtype, library):
    want = run(mx.cpu(), dtype)
    got = run(GPU, dtype)
    how = {"rtol": 2e-2, "atol": 2e-2} if dtype == "float16" else {"rtol": 1e-1, "atol": 1e-1}
    for mine, theirs in zip(got, want, strict=True):
        for a, b in zip(mine, theirs, strict=True):
            np.testing.assert_allclose(a, b, **how)


@pytest.mark.parametrize("train", [False, True])
def test_softmax_in_float32_joins_as_mixed_precision_draws_it(train, monkeypatch):
    if not on_hardware():
        monkeypatch.setitem(sys.modules, "cudnn", fake.module())
    cudnn.library.cache_clear()
    x, ops = mx.sym.var("x"), mx.sym.contrib
    weights = mx.sym.softmax(mx.sym.amp_cast(ops.interleaved_matmul_selfatt_qk(x, heads=2),
                                             dtype="float32"))  # fmt: skip
    weights = mx.sym.amp_cast(mx.sym.Dropout(weights, p=0.2), dtype="float16")
    out = ops.interleaved_matmul_selfatt_valatt(
        mx.sym.amp_cast(x, dtype="float16"), weights, heads=2
    )
    req = "write" if train else "null"
    exe = out.simple_bind(GPU, x=(9, 2, 48), type_dict={"x": "float16"}, grad_req=req)
    names = [i.op.name for i in exe._program(train).lowered.instructions]
    expected = ["_dropped_attention", "_backward_attention"] if train else ["_fused_attention"]
    if cudnn.library() is not None or not train:
        assert names == expected
    cudnn.library.cache_clear()


@pytest.mark.skipif(HARDWARE, reason="the random numbers are the stand-in's")
def test_passes_agree_about_what_is_dropped(counts, monkeypatch):
    """Gradients by differences: the same seed drops the same weights."""
    monkeypatch.setitem(sys.modules, "cudnn", fake.module())
    cudnn.library.cache_clear()
    qkv = np.random.default_rng(1).normal(size=(8, 2, 48)).astype(np.float32)

    def loss(data):
        x, ops = mx.sym.var("x"), mx.sym.contrib
        sym = mx.sym.softmax(ops.interleaved_matmul_selfatt_qk(x, heads=2))
        sym = ops.interleaved_matmul_selfatt_valatt(x, mx.sym.Dropout(sym, p=0.4), heads=2)
        exe = sym.simple_bind(GPU, x=data.shape, type_dict={"x": "float16"})
        exe.arg_dict["x"][:] = data
        seen = []
        for _ in range(4):  # the last two passes are replays
            mx.random.seed(4)
            out = exe.forward(is_train=True)[0].astype("float32").asnumpy()
            exe.backward(mx.nd.array(weights, ctx=GPU, dtype="float16"))
            seen.append((float((out * weights).sum()), exe.grad_dict["x"].asnumpy()))
        for again in seen[1:]:
            assert again[0] == seen[0][0]
            np.testing.assert_array_equal(again[1], seen[0][1])
        names = [i.op.name for i in exe._program(True).lowered.instructions]
        assert "_dropped_attention" in names and "softmax" not in names
        assert exe._program(True).on_gpu(0).refusal is None
        return seen[0]

    weights = np.random.default_rng(2).normal(size=(8, 2, 16)).astype(np.float32)
    way = np.random.default_rng(3).normal(size=qkv.shape).astype(np.float32) * 0.05
    _, grad = loss(qkv)
    slope = loss(qkv + way)[0] - loss(qkv - way)[0]
    assert slope == pytest.approx(2 * float((grad.astype(np.float32) * way).sum()), rel=0.05)
    cudnn.library.cache_clear()
    cudnn._plans.clear()
