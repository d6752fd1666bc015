"""Layers of 16-bit numbers run the kernels of float32, gradients and states included."""

from __future__ import annotations

import numpy as np
import pytest

import baryon as mx
from baryon.graph.lower import accepted_params
from baryon.native import native
from baryon.ops import Spec, get

RNG = np.random.default_rng(0)
CALLS = {
    "Convolution": (((2, 3, 8, 8), (4, 3, 3, 3), (4,)), {"kernel": (3, 3), "num_filter": 4}),
    "Deconvolution": (((2, 3, 5, 5), (3, 4, 3, 3)), {"kernel": (3, 3), "num_filter": 4}),
    "FullyConnected": (((5, 30), (4, 30), (4,)), {"num_hidden": 4}),
    "Pooling": (((2, 3, 8, 8),), {"kernel": (2, 2), "stride": (2, 2), "pool_type": "avg"}),
    "BatchNorm": (((4, 3, 5, 5), (3,), (3,), (3,), (3,)), {"fix_gamma": False}),
}


def arrays(name, low):
    """Inputs: all of 16 bits, but the states of a norm."""
    shapes, _ = CALLS[name]
    values = [RNG.uniform(0.5, 1.5, s) for s in shapes]
    kinds = [low if name != "BatchNorm" or i == 0 else "float32" for i in range(len(values))]
    return [mx.nd.array(v).astype(k) for v, k in zip(values, kinds, strict=True)]


def run(name, inputs):
    """The result, gradients of all inputs, and the inputs afterwards."""
    for x in inputs:
        x.attach_grad()
    with mx.autograd.record():
        out = getattr(mx.nd, name)(*inputs, **CALLS[name][1])
        loss = (out.astype("float32") * 0.5).sum()
    loss.backward()
    return [x.astype("float32").asnumpy() for x in (out, *(x.grad for x in inputs), *inputs)]


@pytest.mark.parametrize("low", ["float16", "bfloat16"])
@pytest.mark.parametrize("name", CALLS)
def test_half_layers_are_near_float_ones(name, low):
    inputs = arrays(name, low)
    wide = [x.astype("float32") for x in inputs]
    step = 2e-3 if low == "float16" else 2e-2
    for got, want in zip(run(name, inputs), run(name, wide), strict=True):
        np.testing.assert_allclose(got, want, rtol=step, atol=step * max(1, np.abs(want).max()))


@pytest.mark.skipif(native is None, reason="the native extension is absent")
@pytest.mark.parametrize("low", ["float16", "bfloat16"])
@pytest.mark.parametrize("name", CALLS)
def test_a_kernel_serves_them(name, low):
    op, inputs = get(name), arrays(name, low)
    attrs = op.attributes(CALLS[name][1])
    ins = [Spec(x.shape, np.dtype(x.dtype)) for x in inputs]
    outs = [*op.infer(attrs, tuple(ins)), *(ins[i] for i in op.mutated(attrs))]
    assert accepted_params(op, attrs, ins, outs) is not None
