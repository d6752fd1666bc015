"""Steps of training on a GPU: passes and updates as one graph, with rates that change."""

from __future__ import annotations

import numpy as np
import pytest

import baryon as mx
from baryon import autograd, gluon
from baryon.executor import Executor

GPU = mx.gpu(0)


def network(dropout=0.0, dtype="float32"):
    x = mx.sym.cast(mx.sym.var("data"), dtype=dtype)
    x = mx.sym.FullyConnected(x, num_hidden=6, name="fc0")
    x = mx.sym.Activation(x, act_type="tanh")
    x = mx.sym.Dropout(x, p=dropout) if dropout else x
    x = mx.sym.cast(mx.sym.FullyConnected(x, num_hidden=3, name="fc1"), dtype="float32")
    return mx.sym.SoftmaxOutput(x, name="softmax")


def batches(count=8, size=4):
    rng = np.random.default_rng(0)
    data, label = rng.normal(size=(size * count, 5)), rng.integers(0, 3, size * count)
    return mx.io.NDArrayIter(data.astype("float32"), label.astype("float32"), size)


def module_on(ctx, optimizer, params, **options):
    mx.random.seed(3)
    module = mx.mod.Module(network(**options), context=ctx, fixed_param_names=["fc1_bias"])
    module.bind(batches().provide_data, batches().provide_label)
    module.init_params(mx.init.Uniform(0.5))
    rates = mx.lr_scheduler.FactorScheduler(step=2, factor=0.7, base_lr=0.1)
    params = {"lr_scheduler": rates, "wd": 0.01, **params}
    module.init_optimizer(optimizer=optimizer, optimizer_params=params)
    return module


def found(module):
    grads = module._exec_group.execs[0].grad_dict
    values = {n: a.asnumpy() for n, a in module.get_params()[0].items()}
    values |= {f"grad {n}": g.asnumpy() for n, g in grads.items() if g is not None}
    return values | {"outputs": module.get_outputs()[0].asnumpy()}


def same(got, want, **how):
    for name, value in want.items():
        np.testing.assert_allclose(got[name], value, **{"rtol": 1e-4, "atol": 1e-6, **how},
                                   err_msg=name)  # fmt: skip


@pytest.fixture
def programs(monkeypatch):
    """The programs of the steps that ran whole."""
    made, run = [], Executor.run_step
    monkeypatch.setattr(Executor, "run_step", lambda exe, p, *a: made.append(p) or run(exe, p, *a))
    return made


OPTIMIZERS = {
    "sgd": ("sgd", {}),
    "momentum": ("sgd", {"momentum": 0.9, "clip_gradient": 0.1}),
    "nesterov": ("nag", {"momentum": 0.9}),
    "signum": ("signum", {"momentum": 0.9, "wd_lh": 0.01}),
    "adam": ("adam", {}),
    "rmsprop": ("rmsprop", {}),
}


@pytest.mark.parametrize("dropout", [0.0, 0.5])
@pytest.mark.parametrize("name", OPTIMIZERS)
def test_a_step_is_one_graph_whose_rates_change(name, dropout, programs):
    modules = [module_on(ctx, *OPTIMIZERS[name], dropout=dropout) for ctx in (mx.cpu(), GPU)]
    for module in modules:
        mx.random.seed(5)
        for batch in batches():
            module._train_on(batch)
    same(found(modules[1]), found(modules[0]))
    (program,) = set(programs[-8:])
    assert program.on_gpu(0).refusal is None


def test_it_is_captured_once_and_costs_three_launches(counts):
    module = module_on(GPU, "adam", {}, dropout=0.5)
    batch = next(batches())
    for _ in range(3):
        module._train_on(batch)
    assert counts["captures"] == 1
    counts.clear()
    for _ in range(10):
        module._train_on(batch)
    assert counts["captures"] == 0 and counts["replays"] == 10
    # The batch comes from the host; random streams and rates are numbers of a launch each.
    assert counts["launches"] - counts["replays"] <= 10 * (2 + 3)
    assert counts["synchronizations"] == 0


def test_rates_that_stay_are_not_written_again(counts):
    module = module_on(GPU, "sgd", {"lr_scheduler": None, "learning_rate": 0.1})
    batch = next(batches())
    for _ in range(3):
        module._train_on(batch)
    counts.clear()
    module._train_on(batch)
    assert counts["replays"] == 1 and counts["launches"] <= 2  # copies of the batch


def test_other_attributes_that_change_are_obeyed():
    modules = [module_on(ctx, "sgd", {"momentum": 0.9}) for ctx in (mx.cpu(), GPU)]
    for module in modules:
        for i, batch in enumerate(batches()):
            module._optimizer.rescale_grad = 1 + i // 3
            module._train_on(batch)
    same(found(modules[1]), found(modules[0]))


def test_half_precision_with_master_weights(programs):
    params = {"momentum": 0.9, "multi_precision": True}
    modules = [module_on(ctx, "sgd", params, dtype="float16") for ctx in (mx.cpu(), GPU)]
    for module in modules:
        for batch in batches():
            module._train_on(batch)
    assert programs[-1].on_gpu(0).refusal is None
    same(found(modules[1]), found(modules[0]), rtol=3e-3, atol=2e-3)


@pytest.mark.parametrize("why", ["optimizer", "graphs"])
def test_what_is_not_captured_trains_as_well(why, monkeypatch, counts):
    optimizer = "ftml" if why == "optimizer" else "adam"
    if why == "graphs":
        monkeypatch.setenv("BARYON_CUDA_GRAPHS", "0")
    modules = [module_on(ctx, optimizer, {}) for ctx in (mx.cpu(), GPU)]
    for module in modules:
        for batch in batches():
            module._train_on(batch)
    same(found(modules[1]), found(modules[0]), rtol=1e-3)
    assert (counts["replays"] == 0) == (why == "graphs")


def trained(ctx, count=5, blocks=1):
    """Parameters of a network after some steps by a Trainer."""
    mx.random.seed(3)
    net = gluon.nn.HybridSequential()
    net.add(*(gluon.nn.Dense(5, activation="relu") for _ in range(blocks)), gluon.nn.Dense(2))
    net.initialize(ctx=ctx)
    net.hybridize()
    trainer = gluon.Trainer(net.collect_params(), "adam", {"learning_rate": 0.05, "wd": 0.01})
    rng = np.random.default_rng(1)
    for i in range(count):
        x = mx.nd.array(rng.normal(size=(4, 3)), ctx=ctx)
        with autograd.record():
            loss = (net(x) ** 2).sum()
        loss.backward()
        trainer.step(4 if i < 3 else 2)
    return net, trainer


def test_a_trainer_updates_all_weights_at_once(counts):
    params = [trained(ctx)[0].collect_params().values() for ctx in (GPU, mx.cpu())]
    same(*({i: p.data().asnumpy() for i, p in enumerate(its)} for its in params), atol=1e-5)
    _, trainer = trained(GPU, blocks=24)  # 50 arrays: two launches
    for p in trainer._params:
        p._copies()[0]._node.fresh = True
    trainer.step(2)
    for p in trainer._params:
        p._copies()[0]._node.fresh = True
    counts.clear()
    trainer.step(2)
    assert counts["replays"] == 1 and counts["launches"] <= 2  # the rates
