"""Steps of many parameters as one program: the same numbers as operator calls, one by one."""

from __future__ import annotations

import pickle

import numpy as np
import pytest

import baryon as mx
from baryon.native import native
from baryon.optimizer import compiled

opt = mx.optimizer
RULES = {
    "sgd": {},
    "sgd momentum": {"momentum": 0.9, "clip_gradient": 0.5},
    "nag": {"momentum": 0.9},
    "nag without": {},
    "signum": {"wd_lh": 0.1},
    "signum without": {"momentum": 0.0},
    "adam": {"clip_gradient": 0.3},
    "ftml": {},
    "ftrl": {},
    "rmsprop": {"clip_weights": 0.9},
    "rmsprop centered": {"centered": True},
}
needs_native = pytest.mark.skipif(native is None, reason="programs of updates need the extension")
SHAPES = [(3, 2), (5,), (2, 1, 4)]


def rule(name, **more):
    rates = {"lr_scheduler": mx.lr_scheduler.FactorScheduler(step=1, factor=0.5, base_lr=0.1)}
    return opt.create(name.split()[0], **{"wd": 0.01, **RULES[name], **rates, **more})


def by_calls(optimizer, indices, weights, grads, states):
    """The specification: each parameter's operator is called."""
    for w, g, call in zip(weights, grads, optimizer.calls(indices, weights, states), strict=True):
        call.run(w, g)


@pytest.mark.parametrize("dtype", ["float32", "float64", "float16"])
@pytest.mark.parametrize("name", RULES)
def test_a_program_does_what_the_calls_do(name, dtype):
    rng = np.random.default_rng(0)
    start = [rng.normal(size=s) for s in SHAPES]
    mine, theirs = ([mx.nd.array(x, dtype=dtype) for x in start] for _ in range(2))
    mixed, exact = dtype == "float16", 0 if native is not None else 1e-6
    if mixed and not name.startswith(("sgd", "nag")):
        pytest.skip("no operator of mixed precision")
    updater = opt.get_updater(rule(name, multi_precision=mixed))
    reference = rule(name, multi_precision=mixed)
    states = [reference.create_state_multi_precision(i, w) for i, w in enumerate(theirs)]
    for _ in range(4):
        grads = [mx.nd.array(rng.normal(size=s), dtype=dtype) for s in SHAPES]
        updater([0, 1, 2], grads, mine)
        by_calls(reference, [0, 1, 2], theirs, grads, states)
        for a, b in zip(mine, theirs, strict=True):
            np.testing.assert_allclose(a.asnumpy(), b.asnumpy(), rtol=exact)
    assert updater.optimizer.num_update == reference.num_update == 4


@needs_native
def test_rates_that_change_compile_nothing_anew(monkeypatch):
    monkeypatch.setattr(compiled, "_PROGRAMS", {})
    updater = opt.get_updater(rule("adam"))
    weights, grads = ([mx.nd.ones(s) for s in SHAPES] for _ in range(2))
    for batch in (8, 16, 32):
        updater.optimizer.rescale_grad = 1 / batch
        updater([0, 1, 2], grads, weights)
    (program,) = compiled._PROGRAMS.values()
    assert program is not None
    assert len(updater.states) == 3


def test_a_subclass_that_changes_the_update_is_asked():
    class Doubled(opt.Adam):
        def update(self, index, weight, grad, state):
            weight -= 2 * grad

    weights = [mx.nd.ones((2,)), mx.nd.ones((2,))]
    opt.get_updater(Doubled())([0, 1], [mx.nd.ones((2,))] * 2, weights)
    assert weights[0].asnumpy().tolist() == [-1, -1]


def test_a_subclass_that_changes_the_rates_is_asked():
    class Slower(opt.Adam):
        def _get_lrs(self, indices):
            return [0.0 for _ in indices]

    weights = [mx.nd.ones((2,)), mx.nd.ones((3,))]
    opt.get_updater(Slower())([0, 1], [mx.nd.ones((2,)), mx.nd.ones((3,))], weights)
    assert weights[0].asnumpy().tolist() == [1, 1]


def test_arrays_that_do_not_fit_raise_the_operator_s_error():
    updater = opt.get_updater(opt.Adam())
    with pytest.raises(mx.MXNetError, match="adam_update"):
        updater([0, 1], [mx.nd.ones((3,)), mx.nd.ones((3,))], [mx.nd.ones((2,)), mx.nd.ones((3,))])


@needs_native
def test_one_weight_given_twice_is_updated_twice():
    weight, grad = mx.nd.ones((2,)), mx.nd.ones((2,))
    opt.get_updater(opt.SGD(learning_rate=0.25))([0, 1], [grad, grad], [weight, weight])
    assert weight.asnumpy().tolist() == [0.5, 0.5]


def test_a_program_made_for_one_optimizer_serves_another_with_fewer_attributes():
    for clip in (0.25, None):
        weights = [mx.nd.zeros((2,)), mx.nd.zeros((3,))]
        rule = opt.SGD(learning_rate=1.0, clip_gradient=clip)
        opt.get_updater(rule)([0, 1], [mx.nd.ones((2,)), mx.nd.ones((3,))], weights)
        assert weights[0].asnumpy().tolist() == [-(clip or 1)] * 2


def test_sgd_follows_rates_and_states_that_change_between_steps():
    weight, grad = mx.nd.array([1.0, 2.0]), mx.nd.array([1.0, -1.0])
    sgd = opt.SGD(learning_rate=0.5, momentum=0.5)
    update = opt.get_updater(sgd)
    expected, speed = np.array([1.0, 2.0]), np.zeros(2)
    for step, rate in enumerate([0.5, 0.5, 0.25, 0.25, 0.5]):
        sgd.set_learning_rate(rate)
        if step == 3:  # as a file of states would give them
            update.states[0], speed = mx.nd.array([1.0, 1.0]), np.ones(2)
        update(0, grad, weight)
        speed = 0.5 * speed - rate * np.array([1.0, -1.0])
        expected = expected + speed
        np.testing.assert_allclose(weight.asnumpy(), expected, rtol=1e-6)
    assert pickle.loads(pickle.dumps(sgd))._last is None
