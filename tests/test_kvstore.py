"""Stores of one process."""

from __future__ import annotations

import numpy as np
import pytest

import baryon as mx
from baryon import nd

KINDS = ("local", "device", "local_update_cpu", "local_allreduce_cpu", "local_allreduce_device")


def pulled(kv, key, shape=(2, 3)):
    out = nd.zeros(shape)
    kv.pull(key, out=out)
    return out.asnumpy()


@pytest.mark.parametrize("kind", KINDS)
def test_push_adds_up_over_contexts_and_replaces(kind):
    kv = mx.kv.create(kind)
    assert (kv.type, kv.rank, kv.num_workers) == (kind, 0, 1)
    kv.init(3, nd.ones((2, 3)))
    np.testing.assert_array_equal(pulled(kv, 3), np.ones((2, 3)))
    kv.push(3, [nd.full((2, 3), 2), nd.full((2, 3), 3, ctx=mx.cpu(1))])
    np.testing.assert_array_equal(pulled(kv, 3), np.full((2, 3), 5))


def test_stored_arrays_are_copies():
    kv, x = mx.kv.create(), nd.ones((2, 3))
    kv.init("a", x)
    x[:] = 7
    assert pulled(kv, "a").max() == 1
    kv.push("a", x)
    x[:] = 9
    assert pulled(kv, "a").max() == 7


def test_lists_of_keys_and_repeated_keys():
    kv = mx.kv.create()
    kv.init(["a", "b"], [nd.ones((2, 3)), nd.zeros((2, 3))])
    kv.push(["a", "b", "a"], [nd.ones((2, 3)), nd.full((2, 3), 4), nd.full((2, 3), 2)])
    outs = [nd.zeros((2, 3)), nd.zeros((2, 3))]
    kv.pull(["a", "b"], out=outs)
    assert [o.asnumpy()[0, 0] for o in outs] == [3, 4]


def test_pushpull_in_place_and_broadcast():
    kv = mx.kv.create("device")
    values = [nd.ones((2, 3)), nd.full((2, 3), 4, ctx=mx.cpu(1))]
    kv.broadcast("x", nd.full((2, 3), 8), out=[nd.zeros((2, 3)), values[1]])
    assert values[1].asnumpy().min() == 8
    kv.pushpull("x", values)
    assert [v.asnumpy()[0, 0] for v in values] == [9, 9]


def test_updater_and_optimizer():
    kv = mx.kv.create()
    kv.init("w", nd.ones((2, 3)))
    seen = []

    def update(key, pushed, stored):
        seen.append(key)
        stored += pushed * 2

    kv._set_updater(update)
    kv.push("w", [nd.ones((2, 3)), nd.ones((2, 3))])
    assert seen == ["w"] and pulled(kv, "w").max() == 5
    kv.set_optimizer(mx.optimizer.SGD(learning_rate=0.5))
    kv.push("w", nd.ones((2, 3)))
    np.testing.assert_allclose(pulled(kv, "w"), 4.5)


def test_optimizer_states_survive_a_file(tmp_path):
    def made():
        kv = mx.kv.create()
        kv.init("w", nd.ones((3,)))
        kv.set_optimizer(mx.optimizer.SGD(learning_rate=0.1, momentum=0.9))
        return kv

    first, again = made(), made()
    first.push("w", nd.array([1.0, 2.0, 3.0]))
    first.save_optimizer_states(str(tmp_path / "s"), dump_optimizer=True)
    again.load_optimizer_states(str(tmp_path / "s"))
    again.pushpull("w", nd.zeros((3,)), out=nd.zeros((3,)))  # momentum alone: lr was counted in it
    np.testing.assert_allclose(pulled(again, "w", (3,)), 1 - 0.09 * np.array([1, 2, 3]), rtol=1e-6)
    with pytest.raises(AssertionError, match="set_optimizer"):
        mx.kv.create().save_optimizer_states(str(tmp_path / "t"))


def test_two_bit_compression_feeds_errors_back():
    kv = mx.kv.create("device")
    kv.init(0, nd.ones((6,)))
    kv.set_gradient_compression({"type": "2bit", "threshold": 0.5})
    gradient = np.array([0.1, 0.3, 0.6, -0.7, 1.4, -0.2], "float32")
    residual = np.zeros((2, 6), "float32")
    for _ in range(5):
        kv.push(0, [nd.array(gradient), nd.array(2 * gradient, ctx=mx.cpu(1))])
        residual += np.stack([gradient, 2 * gradient])
        sent = 0.5 * ((residual >= 0.5).astype("float32") - (residual <= -0.5))
        residual -= sent
        np.testing.assert_array_equal(pulled(kv, 0, (6,)), sent.sum(0))


@pytest.mark.parametrize(
    ("params", "error"),
    [({}, "type"), ({"type": "1bit"}, "1bit"), ({"type": "2bit", "threshold": 0}, "positive")],
)
def test_bad_compression(params, error):
    with pytest.raises(mx.MXNetError, match=error):
        mx.kv.create("device").set_gradient_compression(params)


def test_compression_needs_a_device_store():
    with pytest.raises(mx.MXNetError, match="not supported"):
        mx.kv.create("local").set_gradient_compression({"type": "2bit"})


def test_rows_only():
    kv = mx.kv.create()
    kv.init("e", nd.arange(8).reshape((4, 2)))
    out = nd.ones((4, 2))
    kv.row_sparse_pull("e", out=out, row_ids=nd.array([3, 1, 3]))
    np.testing.assert_array_equal(out.asnumpy(), [[0, 0], [2, 3], [0, 0], [6, 7]])


def test_keys_are_checked():
    kv = mx.kv.create()
    kv.init(3, nd.ones((2, 3)))
    with pytest.raises(mx.MXNetError, match="duplicate"):
        kv.init(3, nd.ones((2, 3)))
    with pytest.raises(mx.MXNetError, match="mixed key types"):
        kv.init("a", nd.ones((2, 3)))
    with pytest.raises(mx.MXNetError, match="not been initialized"):
        kv.push(4, nd.ones((2, 3)))
    with pytest.raises(mx.MXNetError, match="shape"):
        kv.push(3, nd.ones((2, 2)))
    with pytest.raises(AssertionError, match="inconsistent"):
        kv.push([3, "a"], [nd.ones((2, 3))] * 2)
    with pytest.raises(AssertionError, match="float"):
        kv.push(1.5, nd.ones((2, 3)))
    with pytest.raises(TypeError, match="NDArrays"):
        kv.push(3, [1.0])


@pytest.mark.parametrize("name", ["dist_sync", "horovod", "nonsense"])
def test_stores_that_do_not_exist_here(name):
    with pytest.raises(mx.MXNetError, match=name):
        mx.kv.create(name)


def test_names_must_be_strings():
    with pytest.raises(TypeError, match="string"):
        mx.kv.create(None)


def test_registered_store_serves_a_module():
    calls = []

    @mx.kv.KVStoreBase.register
    class Counting(mx.kv.base.TestStore):
        def pushpull(self, key, value, out=None, priority=0):
            calls.append(key)
            super().pushpull(key, value, out, priority)

    try:
        net = mx.sym.FullyConnected(mx.sym.var("data"), num_hidden=2, name="fc")
        module = mx.mod.Module(mx.sym.SoftmaxOutput(net, name="softmax"))
        module.bind([("data", (2, 3))], [("softmax_label", (2,))])
        module.init_params()
        module.init_optimizer(kvstore=mx.kv.create("counting"))
        module.forward_backward(mx.io.DataBatch([nd.ones((2, 3))], [nd.zeros((2,))]))
        module.update()
        assert calls == ["fc_weight", "fc_bias"]
    finally:
        del mx.kv.KVStoreBase.kv_registry["counting"]
