"""Trainer: steps, contexts, states."""

from __future__ import annotations

import numpy as np
import pytest

import baryon as mx
from baryon import gluon
from baryon.gluon import nn

CONTEXTS = [mx.cpu(0), mx.cpu(1)]


def make(ctx=None, optimizer="sgd", store=None, **options):
    net = nn.Dense(1, in_units=2, weight_initializer="ones")
    net.initialize(ctx=ctx)
    options.setdefault("learning_rate", 0.5)
    return net, gluon.Trainer(net.collect_params(), optimizer, options, **(store or {}))


def backward(net, x):
    with mx.autograd.record():
        loss = net(x if isinstance(x, mx.nd.NDArray) else mx.nd.array(x)).sum()
    loss.backward()


def test_step_divides_by_the_batch_size():
    net, trainer = make()
    backward(net, [[1.0, 2.0], [3.0, 4.0]])
    trainer.step(2)
    np.testing.assert_allclose(net.weight.data().asnumpy(), [[1 - 0.5 * 2, 1 - 0.5 * 3]])
    np.testing.assert_allclose(net.bias.data().asnumpy(), [-0.5])


def test_rescale_grad_is_kept():
    net, trainer = make(rescale_grad=0.1)
    backward(net, [[1.0, 2.0]])
    trainer.step(1)
    np.testing.assert_allclose(net.weight.data().asnumpy(), [[0.95, 0.9]], rtol=1e-6)


def test_multipliers_and_fixed_parameters():
    net, trainer = make()
    net.weight.lr_mult = 0.1
    net.bias.grad_req = "null"
    backward(net, [[1.0, 2.0]])
    trainer.step(1)
    np.testing.assert_allclose(net.weight.data().asnumpy(), [[0.95, 0.9]], rtol=1e-6)
    np.testing.assert_allclose(net.bias.data().asnumpy(), [0])


def test_stale_gradients():
    net, trainer = make()
    with pytest.raises(UserWarning, match="has not been updated by backward"):
        trainer.step(1)
    backward(net, [[1.0, 2.0]])
    trainer.step(1)
    with pytest.raises(UserWarning, match="Gradient of Parameter .*bias"):
        trainer.step(1)
    before = net.weight.data().asnumpy()
    trainer.step(1, ignore_stale_grad=True)
    np.testing.assert_array_equal(net.weight.data().asnumpy(), before)


@pytest.mark.parametrize("hybrid", [False, True])
@pytest.mark.parametrize("kvstore", ["device", "local"])
@pytest.mark.parametrize("on_store", [None, False])
def test_several_contexts_act_as_one_batch(hybrid, kvstore, on_store):
    x = np.random.rand(4, 3).astype(np.float32)
    results = []
    for contexts in (CONTEXTS[:1], CONTEXTS):
        mx.random.seed(1)
        net = nn.HybridSequential()
        net.add(nn.Dense(4, activation="tanh", in_units=3), nn.Dense(2, in_units=4))
        net.initialize(mx.init.One(), ctx=contexts)
        net.hybridize(hybrid)
        options = {"kvstore": kvstore, "update_on_kvstore": on_store}
        trainer = gluon.Trainer(net.collect_params(), "adam", {"learning_rate": 0.1}, **options)
        for _ in range(3):
            parts = gluon.utils.split_and_load(x, contexts)
            with mx.autograd.record():
                losses = [(net(part) ** 2).sum() for part in parts]
            assert [loss.context for loss in losses] == contexts
            mx.autograd.backward(losses)
            trainer.step(4)
        copies = [array.asnumpy() for array in net[0].weight.list_data()]
        np.testing.assert_array_equal(copies[0], copies[-1])
        results.append(copies[0])
    np.testing.assert_allclose(results[0], results[1], rtol=1e-5, atol=1e-6)


def backward_everywhere(net):
    for ctx in CONTEXTS:
        with mx.autograd.record():
            loss = net(mx.nd.array([[1.0, 2.0]], ctx=ctx)).sum()
        loss.backward()


def test_contexts_without_a_store_go_their_own_ways():
    net, trainer = make(ctx=CONTEXTS, store={"kvstore": None})
    for ctx, x in zip(CONTEXTS, (1.0, 2.0), strict=True):
        with mx.autograd.record():
            loss = net(mx.nd.array([[x, x]], ctx=ctx)).sum()
        loss.backward()
    trainer.step(1)
    values = [array.asnumpy().tolist() for array in net.weight.list_data()]
    assert values == [[[0.5, 0.5]], [[0, 0]]]


def test_a_store_that_updates_makes_all_updates():
    net, trainer = make(ctx=CONTEXTS)
    backward_everywhere(net)
    trainer.step(2)
    for call in (trainer.allreduce_grads, lambda: trainer.update(1)):
        with pytest.raises(AssertionError, match="update_on_kvstore=False"):
            call()
    for kvstore, ctx in ((None, CONTEXTS), ("device", CONTEXTS[:1])):
        store = {"kvstore": kvstore, "update_on_kvstore": True}
        net, trainer = make(ctx=ctx, store=store)
        with pytest.raises(ValueError, match="a store that updates"):
            trainer.step(1)


def test_a_store_that_updates_sees_what_is_set():
    net, trainer = make(ctx=CONTEXTS, momentum=0.9)
    backward_everywhere(net)
    trainer.step(2)
    net.weight.set_data(mx.nd.array([[5.0, 5.0]]))
    backward_everywhere(net)
    trainer.step(2)  # momentum goes on: 0.9 * 0.5 + 0.5 times the gradient
    for array in net.weight.list_data():
        np.testing.assert_allclose(array.asnumpy(), [[5 - 0.95, 5 - 1.9]], rtol=1e-6)


def test_gradient_compression():
    """Numbers that MXNet 1.9.1 gives for the same two steps."""
    options = {"compression_params": {"type": "2bit", "threshold": 0.5}}
    net, trainer = make(ctx=CONTEXTS, store=options)
    for _ in range(2):
        for ctx in CONTEXTS:
            with mx.autograd.record():
                loss = net(mx.nd.array([[0.3, 1.2]], ctx=ctx)).sum()
            loss.backward()
        trainer.step(2)
    np.testing.assert_allclose(net.weight.data(CONTEXTS[1]).asnumpy(), [[0.75, 0.5]], rtol=1e-6)
    net, trainer = make(ctx=CONTEXTS, store={**options, "kvstore": "local"})
    backward_everywhere(net)
    with pytest.raises(mx.MXNetError, match="not supported"):
        trainer.step(1)


def test_accumulated_gradients_stay_each_contexts_own():
    net, trainer = make(ctx=CONTEXTS)
    net.weight.grad_req = "add"
    for _ in range(2):
        backward_everywhere(net)
        trainer.step(2)
    np.testing.assert_allclose(net.weight.grad(CONTEXTS[0]).asnumpy(), [[2, 4]])


def test_parameters_must_be_initialized_first():
    net = nn.Dense(1, in_units=2, prefix="out_")
    with pytest.raises(RuntimeError, match="'out_bias' has not been initialized"):
        gluon.Trainer(net.collect_params(), "sgd")


def test_a_deferred_parameter_is_named():
    net = nn.Dense(1)
    net.initialize()
    trainer = gluon.Trainer(net.collect_params(), "sgd")
    with pytest.raises(gluon.DeferredInitializationError, match="weight"):
        trainer.step(1, ignore_stale_grad=True)


def test_allreduce_then_update():
    net, trainer = make(ctx=CONTEXTS, store={"update_on_kvstore": False})
    backward_everywhere(net)
    trainer.allreduce_grads()
    for grad in net.weight.list_grad():
        np.testing.assert_allclose(grad.asnumpy(), [[2, 4]])
        grad[:] = 1
    trainer.update(1)
    for array in net.weight.list_data():
        np.testing.assert_allclose(array.asnumpy(), [[0.5, 0.5]])


def test_learning_rate():
    net, trainer = make()
    assert trainer.learning_rate == 0.5
    trainer.set_learning_rate(0.25)
    assert trainer.learning_rate == trainer.optimizer.learning_rate == 0.25
    scheduler = mx.lr_scheduler.FactorScheduler(1, factor=0.5, base_lr=1.0)
    net, trainer = make(lr_scheduler=scheduler)
    with pytest.raises(UserWarning, match="LRScheduler"):
        trainer.set_learning_rate(0.1)


@pytest.mark.parametrize("ctx", [CONTEXTS[:1], CONTEXTS])
@pytest.mark.parametrize("optimizer", ["sgd", "nag", "adam", "rmsprop", "adagrad"])
def test_states_resume_exactly(optimizer, ctx, tmp_path):
    path = str(tmp_path / "states")
    options = {"momentum": 0.9} if optimizer in ("sgd", "nag") else {}
    net, trainer = make(ctx, optimizer, learning_rate=0.1, **options)
    x = [[1.0, 2.0]]

    def step(net, trainer):
        for c in ctx:
            backward(net, mx.nd.array(x, ctx=c))
        trainer.step(1)

    for _ in range(3):
        step(net, trainer)
    trainer.save_states(path)
    other, resumed = make(ctx, optimizer, learning_rate=0.1, **options)
    resumed.load_states(path)
    for a, b in zip(net.collect_params().values(), other.collect_params().values(), strict=True):
        b.set_data(a.data(ctx[0]))
    for n, t in ((net, trainer), (other, resumed)):
        step(n, t)
    for a, b in zip(net.weight.list_data(), other.weight.list_data(), strict=True):
        np.testing.assert_array_equal(a.asnumpy(), b.asnumpy())


def test_damaged_states(tmp_path):
    path = tmp_path / "states"
    path.write_bytes(b"\x80\x04nonsense")
    _, trainer = make()
    with pytest.raises(mx.MXNetError):
        trainer.load_states(str(path))


def test_arguments():
    with pytest.raises(ValueError, match="got list of <class 'int'>"):
        gluon.Trainer([1], "sgd")
    with pytest.raises(ValueError, match="got <class 'int'>"):
        gluon.Trainer(3, "sgd")
    net, _ = make()
    params = net.collect_params()
    with pytest.raises(AssertionError, match="optimizer_params must be None"):
        gluon.Trainer(params, mx.optimizer.SGD(), {"learning_rate": 1.0})
    with pytest.raises(mx.MXNetError, match="dist_sync"):
        gluon.Trainer(params, "sgd", kvstore="dist_sync")
    assert gluon.Trainer(list(params.values()), mx.optimizer.SGD()).learning_rate == 0.01


class Store(mx.kv.KVStoreBase):
    """A store that adds up."""

    @staticmethod
    def is_capable(capability):
        return False

    def broadcast(self, key, value, out, priority=0):
        pass

    def pushpull(self, key, value, out=None, priority=0):
        total = sum(v.asnumpy() for v in value)
        for array in out:
            array[:] = mx.nd.array(total)


def test_kvstore_object():
    net = nn.Dense(1, in_units=2, weight_initializer="ones")
    net.initialize(ctx=CONTEXTS)
    trainer = gluon.Trainer(net.collect_params(), "sgd", {"learning_rate": 0.5}, kvstore=Store())
    for ctx in CONTEXTS:
        with mx.autograd.record():
            loss = net(mx.nd.array([[1.0, 2.0]], ctx=ctx)).sum()
        loss.backward()
    trainer.step(2)
    np.testing.assert_allclose(net.weight.data(CONTEXTS[1]).asnumpy(), [[0.5, 0]])
