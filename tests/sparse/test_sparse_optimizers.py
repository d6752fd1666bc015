"""Optimizers with row_sparse gradients: which rows change, how states are stored, state files."""

import base64

import numpy as np
import pytest

import baryon as mx
from baryon import nd

WEIGHT = np.linspace(0.5, 1.6, 12).reshape(4, 3).astype(np.float32)
GRADS = [np.zeros((4, 3), np.float32) for _ in range(3)]
GRADS[0][[1, 3]] = [[0.1, -0.2, 0.3], [0.4, 0, -0.1]]
GRADS[1][[0, 3]] = 0.2
GRADS[2][3] = -0.3


def train(name, stype="default", grad_stype="row_sparse", rows=slice(None), **options):
    """Weight and states after three steps of an optimizer on some rows."""
    updater = mx.optimizer.get_updater(mx.optimizer.create(name, learning_rate=0.1, **options))
    weight = nd.array(WEIGHT[rows]).tostype(stype)
    for grad in GRADS:
        updater(0, nd.array(grad[rows]).tostype(grad_stype), weight)
    return weight, updater


@pytest.mark.parametrize("stype", ["default", "row_sparse"])
@pytest.mark.parametrize(
    "name, options",
    [
        ("sgd", {"wd": 0.1}),
        ("sgd", {"wd": 0.1, "momentum": 0.9, "clip_gradient": 0.15}),
        ("adam", {"wd": 0.1}),
        ("adagrad", {"wd": 0.0}),
        ("groupadagrad", {"wd": 0.0}),
        ("ftrl", {"wd": 0.1}),
    ],
)
def test_lazy_updates_move_the_rows_of_the_gradient(name, options, stype):
    """Row 2 has no gradient and stays; row 3 has one each time and moves as if it were alone."""
    if name == "ftrl" and stype == "default":
        pytest.skip("MXNet updates a dense weight as a whole")
    weight, _ = train(name, stype, **options)
    assert weight.stype == stype
    np.testing.assert_array_equal(weight.asnumpy()[2], WEIGHT[2])
    alone, _ = train(name, grad_stype="default", rows=slice(3, 4), **options)
    np.testing.assert_allclose(weight.asnumpy()[3:], alone.asnumpy(), rtol=1e-6)
    assert (weight.asnumpy()[:2] != WEIGHT[:2]).any(axis=1).all()


@pytest.mark.parametrize("name", ["sgd", "adam"])
def test_updates_that_are_not_lazy_are_those_of_dense_gradients(name):
    options = {"wd": 0.1, "lazy_update": False}
    lazy, _ = train(name, **options)
    dense, _ = train(name, grad_stype="default", **options)
    np.testing.assert_allclose(lazy.asnumpy(), dense.asnumpy(), rtol=1e-6)


# How MXNet 1.9.1 stores the states of a row_sparse weight.
STATES = {"adam": "row_sparse", "ftrl": "row_sparse", "rmsprop": "row_sparse", "lamb": "row_sparse",
          "signum": "row_sparse", "adagrad": "row_sparse", "groupadagrad": "row_sparse",
          "adadelta": "default", "adamax": "default", "nadam": "default"}  # fmt: skip


@pytest.mark.parametrize("name", STATES)
def test_storage_of_states(name):
    weight = nd.array(WEIGHT).tostype("row_sparse")
    states = mx.optimizer.create(name).create_state(0, weight)
    for state in states if isinstance(states, tuple) else [states]:
        assert state.stype == STATES[name]
    for momentum, lazy, stype in ((0.9, True, "row_sparse"), (0.9, False, "default")):
        sgd = mx.optimizer.SGD(momentum=momentum, lazy_update=lazy)
        assert sgd.create_state(0, weight).stype == stype


def test_several_parameters_of_different_storage():
    updater = mx.optimizer.get_updater(mx.optimizer.SGD(learning_rate=0.1))
    weights = [nd.ones((3, 2)), nd.ones((3, 2))]
    sparse = nd.sparse.row_sparse_array(([[1, 1]], [1]), shape=(3, 2))
    updater([0, 1], [sparse, nd.ones((3, 2))], weights)
    np.testing.assert_allclose(weights[0].asnumpy()[:, 0], [1, 0.9, 1])
    np.testing.assert_allclose(weights[1].asnumpy(), 0.9)


def test_weight_decay_of_sparse_adagrad_is_refused():
    with pytest.raises(mx.MXNetError, match="weight decay"):
        train("adagrad", wd=0.1)


# pickle.dumps({0: nd.array([[0, 0], [1, 2]]).tostype("row_sparse")}, 3) of MXNet 1.9.1
MXNETS_STATES = (
    "gAN9cQBLAGNteG5ldC5uZGFycmF5LnNwYXJzZQpSb3dTcGFyc2VOREFycmF5CnEBToVxAlJxA31xBFgGAAAAaGFuZGxl"
    "cQVjYnVpbHRpbnMKYnl0ZWFycmF5CnEGQ1zJ+pP5AQAAAAIAAAABAAAAAAAAAAIAAAAAAAAAAgAAAAIAAAAAAAAAAgAA"
    "AAAAAAABAAAAAAAAAAAAAAAGAAAAAQAAAAEAAAAAAAAAAACAPwAAAEABAAAAAAAAAHEHhXEIUnEJc2JzLg=="
)


def test_sparse_states_are_saved():
    weight, updater = train("sgd", "row_sparse", momentum=0.9)
    other = mx.optimizer.get_updater(mx.optimizer.SGD(learning_rate=0.1, momentum=0.9))
    other.set_states(updater.get_states())
    assert other.states[0].stype == "row_sparse"
    np.testing.assert_array_equal(other.states[0].asnumpy(), updater.states[0].asnumpy())
    other.set_states(base64.b64decode(MXNETS_STATES))
    assert other.states[0].stype == "row_sparse"
    assert other.states[0].asnumpy().tolist() == [[0, 0], [1, 2]]
