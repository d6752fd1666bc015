"""`Module.fit` as one program a step: the same as forward, backward and update by themselves."""

from __future__ import annotations

import numpy as np
import pytest

import baryon as mx
from baryon.executor import Executor
from baryon.native import native

needs_native = pytest.mark.skipif(native is None, reason="programs of steps need the extension")


def network(dropout=0.0):
    x = mx.sym.var("data")
    x = mx.sym.FullyConnected(x, num_hidden=6, name="fc0")
    x = mx.sym.BatchNorm(x, name="norm", fix_gamma=False)
    x = mx.sym.Activation(x, act_type="tanh")
    x = mx.sym.Dropout(x, p=dropout) if dropout else x
    return mx.sym.SoftmaxOutput(mx.sym.FullyConnected(x, num_hidden=3, name="fc1"), name="softmax")


def batches(size=4, count=5):
    rng = np.random.default_rng(0)
    data, label = rng.normal(size=(size * count, 5)), rng.integers(0, 3, size * count)
    return mx.io.NDArrayIter(data.astype("float32"), label.astype("float32"), size)


class Apart(mx.mod.Module):
    """A subclass, whose steps are made of their parts."""


def trained(kind, optimizer, params, dropout=0.0, **fit):
    mx.random.seed(3)
    rates = mx.lr_scheduler.FactorScheduler(step=2, factor=0.7, base_lr=0.1)
    module = kind(network(dropout), fixed_param_names=["fc1_bias"])
    module.fit(
        batches(),
        num_epoch=2,
        optimizer=optimizer,
        optimizer_params={"lr_scheduler": rates, "wd": 0.01, **params},
        initializer=mx.init.Uniform(0.5),
        **fit,
    )
    return module


@pytest.fixture
def steps(monkeypatch):
    """How many steps ran whole."""
    made = []
    run = Executor.run_step
    monkeypatch.setattr(Executor, "run_step", lambda *args: made.append(1) or run(*args))
    return made


def values(module, tmp_path):
    arguments, states = module.get_params()
    module.save_optimizer_states(str(tmp_path / "states"))
    grads = module._exec_group.execs[0].grad_dict
    found = {n: a.asnumpy() for n, a in {**arguments, **states}.items()}
    found |= {f"grad {n}": g.asnumpy() for n, g in grads.items() if g is not None}
    found["outputs"] = module.get_outputs()[0].asnumpy()
    return found, (tmp_path / "states").read_bytes()


@needs_native
@pytest.mark.parametrize("dropout", [0.0, 0.5])
@pytest.mark.parametrize(
    "optimizer, params",
    [("sgd", {}), ("sgd", {"momentum": 0.9, "clip_gradient": 0.1}), ("adam", {}), ("rmsprop", {})],
)
def test_whole_steps_do_what_their_parts_do(steps, optimizer, params, dropout, tmp_path):
    whole = trained(mx.mod.Module, optimizer, params, dropout)
    assert len(steps) == 10
    apart = trained(Apart, optimizer, params, dropout)
    assert len(steps) == 10
    mine, my_states = values(whole, tmp_path)
    theirs, their_states = values(apart, tmp_path)
    for name, value in theirs.items():
        np.testing.assert_array_equal(mine[name], value, err_msg=name)
    assert my_states == their_states
    assert whole._optimizer.num_update == apart._optimizer.num_update == 10


@needs_native
def test_a_step_goes_on_from_parts_and_parts_from_a_step(steps):
    def run(first):
        module = trained(mx.mod.Module, "sgd", {"momentum": 0.9})
        for i, batch in enumerate(batches()):
            if i % 2 == first:
                module._train_on(batch)
            else:
                module.forward_backward(batch)
                module.update()
        return module.get_params()[0]["fc0_weight"].asnumpy()

    np.testing.assert_array_equal(run(0), run(1))
    assert len(steps) == 20 + 3 + 2


@pytest.mark.parametrize("why", ["optimizer", "monitor", "instance", "loss"])
def test_what_cannot_be_one_program_is_made_of_its_parts(steps, why):
    if why == "optimizer":
        trained(mx.mod.Module, "adagrad", {})
    elif why == "monitor":
        trained(mx.mod.Module, "sgd", {}, monitor=mx.mon.Monitor(100))
    elif why == "instance":
        module = trained(mx.mod.Module, "sgd", {})
        steps.clear()
        seen = []
        module.update = lambda: seen.append(1)
        module._train_on(next(batches()))
        assert seen == [1]
    else:
        product = mx.sym.var("data") * mx.sym.var("weight", shape=(2,))
        module = mx.mod.Module(product, label_names=None)
        module.bind([("data", (2,))])
        module.init_params(mx.init.One())
        module.init_optimizer()
        with pytest.raises(mx.MXNetError, match="is not a loss"):
            module._train_on(mx.io.DataBatch([mx.nd.ones((2,))]))
    assert steps == []


@needs_native
def test_batches_of_other_sizes_have_programs_of_their_own(steps):
    module = trained(mx.mod.Module, "sgd", {})
    for size in (2, 4, 2):
        module._train_on(next(batches(size)))
        assert module.get_outputs()[0].shape == (size, 3)
    assert len(steps) == 13
