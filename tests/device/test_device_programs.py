"""Compiled graphs on a GPU: one arena, captured once and replayed, with the numbers of the CPU."""

from __future__ import annotations

import numpy as np
import pytest

import baryon as mx
from baryon import autograd, gluon

GPU = mx.gpu(0)


def close(got, want, **how):
    np.testing.assert_allclose(got.asnumpy(), want.asnumpy(), rtol=1e-5, atol=1e-6, **how)


def network(**options):
    mx.random.seed(3)
    net = gluon.nn.HybridSequential()
    net.add(
        gluon.nn.Conv2D(4, 3, padding=1, activation="relu"),
        gluon.nn.BatchNorm(),
        gluon.nn.MaxPool2D(),
        gluon.nn.Flatten(),
        gluon.nn.Dense(8, activation="tanh"),
        gluon.nn.Dropout(0.3),
        gluon.nn.Dense(3),
    )
    return net


def batches(count=6):
    rng = np.random.default_rng(1)
    return [(rng.normal(size=(4, 2, 6, 6)), rng.integers(0, 3, 4)) for _ in range(count)]


def train(ctx, hybrid, count=6):
    """Losses, and parameters at the end, of a small network."""
    net, loss_of = network(), gluon.loss.SoftmaxCrossEntropyLoss()
    net.initialize(mx.init.Xavier(), ctx=ctx)
    if hybrid:
        net.hybridize(static_alloc=True)
        loss_of.hybridize()
    trainer = gluon.Trainer(net.collect_params(), "adam", {"learning_rate": 0.02})
    mx.random.seed(7)
    losses = []
    for x, y in batches(count):
        x, y = mx.nd.array(x, ctx=ctx), mx.nd.array(y, ctx=ctx)
        with autograd.record():
            loss = loss_of(net(x), y)
        loss.backward()
        trainer.step(4)
        losses.append(loss)
    named = {n.split("_", 1)[1]: p.data(ctx) for n, p in net.collect_params().items()}
    return losses, named


@pytest.mark.parametrize("hybrid", [False, True], ids=["eager", "hybridized"])
def test_training_gives_the_numbers_of_the_cpu(hybrid):
    want, want_params = train(mx.cpu(), hybrid)
    got, params = train(GPU, hybrid)
    for i, (a, b) in enumerate(zip(got, want, strict=True)):
        np.testing.assert_allclose(a.asnumpy(), b.asnumpy(), rtol=1e-4, err_msg=f"step {i}")
    for (name, a), b in zip(params.items(), want_params.values(), strict=True):
        np.testing.assert_allclose(a.asnumpy(), b.asnumpy(), rtol=1e-3, atol=1e-5, err_msg=name)


def test_a_hybridized_network_is_captured_and_does_not_wait(counts):
    train(GPU, True, count=8)
    assert counts["captures"] >= 2 and counts["replays"] >= 2 * 5
    counts.clear()


def mlp():
    x = mx.sym.var("data")
    x = mx.sym.FullyConnected(x, num_hidden=16, name="a")
    x = mx.sym.Dropout(mx.sym.Activation(x, act_type="relu"), p=0.4)
    return mx.sym.SoftmaxOutput(mx.sym.FullyConnected(x, num_hidden=4, name="b"), name="softmax")


def run_executor(ctx, steps=5, req="write"):
    exe = mlp().simple_bind(ctx, data=(8, 10), grad_req=req)
    rng = np.random.default_rng(2)
    for x in exe.arg_dict.values():
        x[:] = rng.normal(size=x.shape)
    mx.random.seed(11)
    found = []
    for _ in range(steps):
        exe.forward(is_train=True, data=rng.normal(size=(8, 10)))
        exe.backward()
        found.append({n: g.asnumpy() for n, g in exe.grad_dict.items()})
        found[-1]["out"] = exe.outputs[0].asnumpy()
        exe.arg_dict["a_weight"][:] -= 0.1 * exe.grad_dict["a_weight"]
    return exe, found


@pytest.mark.parametrize("req", ["write", "add"])
def test_executor_replays_with_fresh_random_numbers(req):
    _, want = run_executor(mx.cpu(), req=req)
    exe, got = run_executor(GPU, req=req)
    for a, b in zip(got, want, strict=True):
        for name in b:
            np.testing.assert_allclose(a[name], b[name], rtol=1e-4, atol=1e-5, err_msg=name)
    assert exe._program(True).on_gpu(0).refusal is None
    assert not np.allclose(got[-1]["out"], got[-2]["out"])


def test_an_executor_is_captured_once_and_computes_in_its_arena(counts):
    exe, _ = run_executor(GPU)
    captures = counts["captures"]
    assert captures == 2  # forward and backward
    counts.clear()
    for _ in range(10):
        exe.forward(is_train=True)
        exe.backward()
    assert counts["captures"] == 0 and counts["replays"] == 20
    assert counts["allocations"] == 0 and counts["synchronizations"] == 0
    assert counts["launches"] <= 30  # the advance of random numbers


def test_a_new_seed_is_obeyed_by_a_captured_graph():
    exe, _ = run_executor(GPU)
    found = []
    for _ in range(2):
        mx.random.seed(5)
        found.append([exe.forward(is_train=True)[0].asnumpy() for _ in range(3)])
    np.testing.assert_array_equal(found[0], found[1])


def test_graphs_follow_arrays_that_move():
    net = gluon.nn.Dense(3)
    net.initialize(ctx=GPU)
    net.hybridize()
    kept = [mx.nd.array(np.full((2, 4), k), ctx=GPU) for k in range(6)]
    weight = net(kept[0]) is not None and net.weight.data(GPU).asnumpy()
    for k, x in enumerate(kept):
        np.testing.assert_allclose(net(x).asnumpy(), np.full((2, 4), k) @ weight.T, rtol=1e-5)
    net.weight.set_data(mx.nd.ones((3, 4), ctx=GPU))
    assert net(kept[2]).asnumpy()[0, 0] == 8


def test_two_forward_passes_before_one_backward():
    results = []
    for ctx in (mx.cpu(), GPU):
        mx.random.seed(1)
        net = gluon.nn.Dense(3, activation="sigmoid")
        net.initialize(ctx=ctx)
        net.hybridize()
        x = mx.nd.array(np.arange(8.0).reshape(2, 4) / 8, ctx=ctx)
        net(x)
        for _ in range(3):
            with autograd.record():
                total = (net(x) * net(x * 2)).sum()
            total.backward()
        results.append(net.weight.grad(ctx))
    close(results[1], results[0])


def test_what_waits_for_the_device_is_not_captured(counts):
    net = mx.sym.take(mx.sym.var("x"), mx.sym.var("i"), mode="raise")
    arrays = {"x": mx.nd.array([1, 2, 3], ctx=GPU), "i": mx.nd.array([2, 0], ctx=GPU)}
    exe = net.bind(GPU, arrays, grad_req="null")
    for _ in range(4):
        assert exe.forward()[0].asnumpy().tolist() == [3, 1]
    assert counts["captures"] == 0
    assert "waits for the device" in exe._program(False).on_gpu(0).refusal


def test_setting_turns_graphs_off(monkeypatch, counts):
    monkeypatch.setenv("BARYON_CUDA_GRAPHS", "0")
    run_executor(GPU)
    assert counts["captures"] == 0


class Scale(mx.operator.CustomOp):
    calls = 0

    def forward(self, is_train, req, in_data, out_data, aux):
        Scale.calls += 1
        assert in_data[0].context == GPU
        self.assign(out_data[0], req[0], in_data[0] * Scale.calls)

    def backward(self, req, out_grad, in_data, out_data, in_grad, aux):
        self.assign(in_grad[0], req[0], out_grad[0] * Scale.calls)


@mx.operator.register("device_scale")
class ScaleProp(mx.operator.CustomOpProp):
    def create_operator(self, ctx, in_shapes, in_dtypes):
        assert ctx == GPU
        return Scale()


def test_custom_operators_run_their_python_every_time():
    Scale.calls = 0
    net = mx.sym.Custom(mx.sym.var("x"), op_type="device_scale")
    exe = net.bind(GPU, {"x": mx.nd.ones(2, ctx=GPU)}, grad_req="null")
    assert [exe.forward()[0].asnumpy()[0] for _ in range(4)] == [1, 2, 3, 4]
    x = mx.nd.ones(2, ctx=GPU)
    x.attach_grad()
    with autograd.record():
        y = mx.nd.Custom(x, op_type="device_scale")
    y.backward()
    assert y.asnumpy()[0] == 5 and x.grad.asnumpy()[0] == 5


def test_control_flow():
    results = []
    for ctx in (mx.cpu(), GPU):
        x = mx.nd.array(np.arange(6.0).reshape(3, 2), ctx=ctx)
        x.attach_grad()
        data, state = mx.sym.var("data"), mx.sym.var("state")
        outs, last = mx.sym.contrib.foreach(lambda d, s: (d * s, s + d), data, state)
        exe = mx.sym.Group([outs, last]).bind(
            ctx,
            {"data": x, "state": mx.nd.ones(2, ctx=ctx)},
            {n: mx.nd.zeros(s, ctx=ctx) for n, s in (("data", (3, 2)), ("state", (2,)))},
        )
        for _ in range(3):
            exe.forward(is_train=True)
            exe.backward([mx.nd.ones((3, 2), ctx=ctx), mx.nd.ones(2, ctx=ctx)])
        results.append([*exe.outputs, *exe.grad_arrays])
    for got, want in zip(results[1], results[0], strict=True):
        close(got, want)


def test_module_fits_on_a_gpu():
    found = []
    rng = np.random.default_rng(0)
    data, label = rng.normal(size=(32, 10)), rng.integers(0, 4, 32)
    for ctx in (mx.cpu(), GPU):
        mx.random.seed(4)
        module = mx.mod.Module(mlp(), context=ctx)
        module.fit(
            mx.io.NDArrayIter(data, label, 8),
            num_epoch=2,
            initializer=mx.init.Uniform(0.1),
            optimizer_params={"learning_rate": 0.1, "momentum": 0.9},
        )
        found.append(module.get_params()[0])
    for name, want in found[0].items():
        close(found[1][name].as_in_context(mx.cpu()), want, err_msg=name)


def test_arrays_elsewhere_are_refused():
    with pytest.raises(mx.MXNetError, match=r"array 'x' is on cpu\(0\), the executor on gpu\(0\)"):
        mx.sym.relu(mx.sym.var("x")).bind(GPU, {"x": mx.nd.ones(2)})


def test_monitor_watches():
    seen = []
    exe = mlp().simple_bind(GPU, data=(2, 3))
    exe.set_monitor_callback(lambda name, x: seen.append((name, x.context)))
    exe.forward(is_train=True)
    assert ("a_output", GPU) in seen


def test_random_numbers_are_those_of_the_cpu():
    for draw in (mx.nd.random.uniform, mx.nd.random.normal, mx.nd.random.exponential):
        found = []
        for ctx in (mx.cpu(), GPU):
            mx.random.seed(17)
            found.append([draw(shape=(5, 7), ctx=ctx) for _ in range(3)])
        for got, want in zip(found[1], found[0], strict=True):
            close(got, want)


def test_a_capture_refuses_what_a_graph_would_read_from_the_host():
    from baryon.backend import cuda

    stream = cuda.xp.cuda.Stream(non_blocking=True)
    with (
        pytest.raises(mx.MXNetError, match="copied from the host"),
        cuda.capture(stream, cuda.xp.cuda.MemoryPool()),
    ):
        cuda.xp.asarray([1.0, 2.0])
    if stream.is_capturing():
        stream.end_capture()
    assert mx.nd.array([1, 2], ctx=GPU).asnumpy().tolist() == [1, 2]


@pytest.mark.parametrize("hybrid", [False, True], ids=["eager", "hybridized"])
def test_gradients_cross_devices(hybrid):
    net = gluon.nn.Dense(2, in_units=3)
    net.initialize(mx.init.One(), ctx=GPU)
    if hybrid:
        net.hybridize()
    x = mx.nd.array([[1.0, 2.0, 3.0]])
    x.attach_grad()
    for _ in range(3):
        with autograd.record():
            y = net(x.as_in_context(GPU))
            loss = (y.as_in_context(mx.cpu()) * mx.nd.array([1.0, 2.0])).sum()
        loss.backward()
    assert x.grad.context == mx.cpu() and net.weight.grad().context == GPU
    assert x.grad.asnumpy().tolist() == [[3, 3, 3]]
    assert net.weight.grad().asnumpy().tolist() == [[1, 2, 3], [2, 4, 6]]


@pytest.mark.skipif("not __import__('baryon').context.num_gpus() > 1", reason="one GPU")
@pytest.mark.parametrize("hybrid", [False, True], ids=["eager", "hybridized"])
def test_two_gpus_train_together(hybrid):
    found = []
    for devices in ([mx.cpu(0), mx.cpu(1)], [mx.gpu(0), mx.gpu(1)]):
        net = network()
        net.initialize(mx.init.Xavier(), ctx=devices)
        if hybrid:
            net.hybridize()
        trainer = gluon.Trainer(net.collect_params(), "sgd", {"learning_rate": 0.1})
        mx.random.seed(9)
        loss_of = gluon.loss.SoftmaxCrossEntropyLoss()
        for x, y in batches(4):
            parts = [gluon.utils.split_and_load(mx.nd.array(a), devices) for a in (x, y)]
            with autograd.record():
                losses = [loss_of(net(a), b) for a, b in zip(*parts, strict=True)]
            autograd.backward(losses)
            trainer.step(4)
        found.append([p.data(devices[1]) for p in net.collect_params().values()])
    for got, want in zip(found[1], found[0], strict=True):
        np.testing.assert_allclose(got.asnumpy(), want.asnumpy(), rtol=1e-3, atol=1e-5)


def test_heads_on_two_devices_of_one_tape():
    x = mx.nd.array([1.0, 2.0])
    x.attach_grad()
    with autograd.record():
        near, far = x * 3, x.as_in_context(GPU) * x.as_in_context(GPU)
    autograd.backward([near, far])
    assert x.grad.asnumpy().tolist() == [5, 7]


def test_products_are_not_captured_where_only_cupy_calls_cublas(monkeypatch, counts):
    from baryon.cuda import blas

    monkeypatch.setattr(blas, "library", lambda major: None)
    exe, found = run_executor(GPU)
    assert counts["replays"] == 0 and "cuBLAS" in exe._program(True).on_gpu(0).refusal
    _, want = run_executor(mx.cpu())
    np.testing.assert_allclose(found[-1]["out"], want[-1]["out"], rtol=1e-4)


def test_the_profiler_times_instructions():
    from baryon.graph import program

    exe, seen = mlp().simple_bind(GPU, data=(2, 3)), []
    program.listeners.append(lambda prog, first, clock: seen.append(np.diff(clock)))
    try:
        for _ in range(3):
            exe.forward(is_train=True)
    finally:
        program.listeners.pop()
    assert len(seen) == 3 and all((times > 0).all() for times in seen)
