"""Every operator on a GPU gives what it gives on the CPU, forward and backward."""

from __future__ import annotations

import numpy as np
import pytest
from contract import SEED, Call, calls, differentiable, make, tolerance

import baryon as mx
from baryon import streams
from baryon.ndarray.invoke import invoke_all

EVERY = dict(calls())


@pytest.fixture(params=EVERY.values(), ids=EVERY)
def call(request) -> Call:
    return make(*request.param)


def run(call: Call, ctx: mx.Context) -> dict[str, list[np.ndarray]]:
    """Outputs, mutated inputs and gradients of a call on a device."""
    inputs = [mx.nd.array(a, ctx=ctx, dtype=a.dtype) for a in call.arrays]
    wrt = [inputs[i] for i in differentiable(call)]
    for x in wrt:
        x.attach_grad()
    streams.seed(SEED)
    with ctx, mx.autograd.record(train_mode=call.sample.train):
        outs = invoke_all(call.op, inputs, call.attrs, cls=mx.nd.NDArray)
        outs = outs[: call.op.visible(call.attrs)]
        assert all(x.context == ctx for x in outs)
        heads = [x for x in outs if mx.dtypes.is_float(x._data.dtype) and x._node is not None]
    rng = np.random.default_rng(5)
    dys = [mx.nd.array(rng.uniform(-1, 1, h.shape), ctx=ctx, dtype=h._data.dtype) for h in heads]
    if wrt and heads:
        mx.autograd.backward(heads, dys)
    mutated = [inputs[i] for i in call.op.mutated(call.attrs)]
    grads = [x.grad for x in wrt] if heads else []
    return {
        "output": [x.asnumpy() for x in outs],
        "mutated input": [x.asnumpy() for x in mutated],
        "gradient": [x.asnumpy() for x in grads],
    }


@pytest.mark.usefixtures("bodies")
def test_gpu_agrees_with_cpu(call):
    if call.op.host:
        with pytest.raises(mx.MXNetError, match=f"operator {call.op.name}: .*runs on the CPU only"):
            run(call, mx.gpu(0))
        return
    with mx.util.np_shape(call.op.name.startswith("_np")):
        got, want = run(call, mx.gpu(0)), run(call, mx.cpu())
    for what in want:
        for i, (a, b) in enumerate(zip(got[what], want[what], strict=True)):
            assert a.dtype == b.dtype, f"{what} {i}"
            np.testing.assert_allclose(
                a.astype(np.float64), b.astype(np.float64),
                **tolerance(call), err_msg=f"{what} {i}",
            )  # fmt: skip
