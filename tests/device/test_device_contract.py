"""Every operator on a GPU gives what it gives on the CPU, forward and backward."""

from __future__ import annotations

import os

import numpy as np
import pytest
from contract import SEED, Call, calls, differentiable, make, tolerance

import baryon as mx
from baryon import streams
from baryon.ndarray.invoke import invoke_all

FIRST = dict(calls(all_dtypes=False))
EVERY = dict(calls())
if os.environ.get("BARYON_DEVICE_SAMPLES", "first" if mx.context.num_gpus() else "all") == "first":
    EVERY = FIRST = {k: call for k, call in FIRST.items() if call[1] == 0}


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


def agree(call: Call, got: dict, want: dict) -> None:
    for what in want:
        for i, (a, b) in enumerate(zip(got[what], want[what], strict=True)):
            assert a.dtype == b.dtype, f"{what} {i}"
            np.testing.assert_allclose(
                a.astype(np.float64), b.astype(np.float64),
                **tolerance(call), err_msg=f"{what} {i}",
            )  # fmt: skip


@pytest.mark.usefixtures("bodies")
def test_gpu_agrees_with_cpu(call):
    if call.op.host:
        with pytest.raises(mx.MXNetError, match=f"operator {call.op.name}: .*runs on the CPU only"):
            run(call, mx.gpu(0))
        return
    with mx.util.np_shape(call.op.name.startswith("_np")):
        got, want = run(call, mx.gpu(0)), run(call, mx.cpu())
    agree(call, got, want)


@pytest.fixture(params=FIRST.values(), ids=FIRST)
def first(request) -> Call:
    """Each sample once, in its first dtype."""
    return make(*request.param)


def run_compiled(call: Call, ctx: mx.Context, times: int) -> dict[str, list[np.ndarray]]:
    """Outputs and gradients of the last of several passes of an executor."""
    symbol = call.symbol()
    given = {f"in{i}": mx.nd.array(a, ctx=ctx, dtype=a.dtype) for i, a in enumerate(call.arrays)}
    aux = {n: given[n] for n in symbol.list_auxiliary_states()}
    args = {n: given[n] for n in symbol.list_arguments()}
    wrt = [f"in{i}" for i in differentiable(call) if f"in{i}" in args]
    grads = {n: mx.nd.zeros_like(args[n]) for n in wrt}
    exe = symbol.bind(ctx, args, grads, aux_states=aux)
    before = {n: x.copy() for n, x in given.items()}
    rng = np.random.default_rng(5)
    dys = [rng.uniform(-1, 1, x.shape) for x in exe.outputs]
    for _ in range(times):
        for n, x in before.items():
            given[n][:] = x
        streams.seed(SEED)
        exe.forward(is_train=call.sample.train or bool(wrt))
        if wrt:
            exe.backward(
                [mx.nd.array(d, ctx, x._data.dtype) for d, x in zip(dys, exe.outputs, strict=True)]
            )
    found = {"output": exe.outputs, "gradient": [grads[n] for n in wrt], "input": given.values()}
    return {k: [x.asnumpy() for x in v] for k, v in found.items()}


@pytest.mark.usefixtures("bodies")
def test_graphs_on_the_gpu_agree_with_the_cpu(first):
    """Of three passes the last one is a replay, where the operator can be captured."""
    if not first.arrays or callable(first.op.mutates) or first.op.derived or first.op.host:
        return
    with mx.util.np_shape(first.op.name.startswith("_np")):
        got, want = run_compiled(first, mx.gpu(0), 3), run_compiled(first, mx.cpu(), 1)
    agree(first, got, want)
