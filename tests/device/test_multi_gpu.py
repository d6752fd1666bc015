"""Stores and trainers over several GPUs."""

from __future__ import annotations

import numpy as np
import pytest

import baryon as mx
from baryon.kvstore import collective


@pytest.fixture(autouse=True)
def _two():
    if mx.context.num_gpus() < 2:
        pytest.skip("there are not two GPUs")
    collective.library.cache_clear()
    collective._communicators.cache_clear()
    yield
    collective.library.cache_clear()
    collective._communicators.cache_clear()


def each(value, shape=(2, 3), dtype="float32"):
    """An array on each of two GPUs: value, value + 1."""
    return [mx.nd.full(shape, value + i, ctx=mx.gpu(i), dtype=dtype) for i in range(2)]


@pytest.mark.parametrize("kind", ("device", "nccl", "local"))
@pytest.mark.parametrize("dtype", ("float32", "float16"))
def test_push_and_pull(kind, dtype):
    kv = mx.kv.create(kind)
    kv.init(["a", "b"], [mx.nd.zeros((2, 3), ctx=mx.gpu(0), dtype=dtype)] * 2)
    kv.push(["a", "b"], [each(1, dtype=dtype), each(5, dtype=dtype)])
    outs = each(0, dtype=dtype)
    kv.pull("b", out=outs)
    assert [o.context for o in outs] == [mx.gpu(0), mx.gpu(1)]
    for out in outs:
        np.testing.assert_array_equal(out.asnumpy(), np.full((2, 3), 11, dtype))


def test_all_keys_are_summed_in_one_group(counts):
    kv = mx.kv.create("nccl")
    kv.init([0, 1], [mx.nd.zeros((2, 3), ctx=mx.gpu(0)), mx.nd.zeros((4,), ctx=mx.gpu(0))])
    values = [each(1), each(2, (4,))]
    kv.pushpull([0, 1], values)
    assert counts["groups"] == 1
    assert [v.asnumpy().flat[0] for pair in values for v in pair] == [3, 3, 5, 5]
    out = mx.nd.empty((4,), ctx=mx.gpu(1))
    kv.pull(1, out=out)
    np.testing.assert_array_equal(out.asnumpy(), np.full(4, 5))


def test_a_store_on_the_cpu_sums_gpus_too():
    kv = mx.kv.create("device")
    kv.init("w", mx.nd.ones((2, 3)))
    kv.set_optimizer(mx.optimizer.SGD(learning_rate=1.0))
    params = each(0)
    kv.pushpull("w", each(1), out=params)
    for p in params:
        np.testing.assert_array_equal(p.asnumpy(), np.full((2, 3), -2))


def test_another_shape_is_an_error():
    kv = mx.kv.create("nccl")
    kv.init("w", mx.nd.ones((3,), ctx=mx.gpu(0)))
    with pytest.raises(mx.MXNetError, match="holds shape"):
        kv.pushpull("w", each(1))


def test_training_on_two_gpus_is_training_on_one():
    def trained(contexts, kvstore):
        mx.random.seed(3)
        net = mx.gluon.nn.Dense(2, in_units=3)
        net.initialize(mx.init.Constant(0.5), ctx=contexts)
        trainer = mx.gluon.Trainer(net.collect_params(), "sgd", {"momentum": 0.9}, kvstore=kvstore)
        data = np.arange(12, dtype=np.float32).reshape(4, 3) / 10
        for _ in range(3):
            parts = mx.gluon.utils.split_and_load(data, contexts)
            with mx.autograd.record():
                losses = [(net(x) ** 2).sum() for x in parts]
            for loss in losses:
                loss.backward()
            trainer.step(4)
        return net.weight.data(contexts[-1]).asnumpy()

    want = trained([mx.cpu()], "local")
    for kvstore in ("device", "nccl"):
        got = trained([mx.gpu(0), mx.gpu(1)], kvstore)
        np.testing.assert_allclose(got, want, rtol=1e-5)
