"""What initializers fill in: exact values, moments of draws, dispatch by name, JSON."""

import math

import numpy as np
import pytest

import baryon as mx
from baryon import initializer as init


def _fill(initializer, name, shape, **desc):
    array = mx.nd.ones(shape) * 5
    initializer(init.InitDesc(name, **desc), array)
    return array.asnumpy()


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("fc_bias", 0),
        ("bn_gamma", 1),
        ("bn_beta", 0),
        ("q_min", 0),
        ("q_max", 1),
        ("bn_running_mean", 0),
        ("bn_moving_mean", 0),
        ("bn_running_var", 1),
        ("bn_moving_var", 1),
        ("bn_moving_inv_var", 0),
        ("bn_moving_avg", 0),
    ],
)
def test_names_decide(name, value):
    assert (_fill(init.Uniform(), name, (2, 3)) == value).all()


def test_unknown_name_raises():
    with pytest.raises(ValueError, match="Unknown initialization pattern for foo"):
        _fill(init.Uniform(), "foo", (2,))
    with pytest.raises(TypeError):
        init.Uniform()(3, mx.nd.zeros(3))


def test_attribute_overrides_name():
    attrs = {"__init__": init.Constant(3).dumps()}
    assert (_fill(init.Zero(), "fc_bias", (2,), attrs=attrs) == 3).all()


def test_constant_array():
    assert _fill(init.Constant([1, 2, 3]), "x_weight", (3,)).tolist() == [1, 2, 3]
    assert init.Constant(mx.nd.array([1, 2])).dumps() == '["constant", {"value": [1.0, 2.0]}]'


def test_uniform_and_normal_moments():
    draws = _fill(init.Uniform(0.5), "x_weight", (200, 200))
    assert -0.5 <= draws.min() < -0.499 and 0.499 < draws.max() < 0.5
    assert draws.var() == pytest.approx(0.25 / 3, rel=0.02)
    draws = _fill(init.Normal(0.3), "x_weight", (200, 200))
    assert draws.mean() == pytest.approx(0, abs=0.006)
    assert draws.std() == pytest.approx(0.3, rel=0.02)


def test_seed_repeats_draws():
    mx.random.seed(7)
    first = _fill(init.Normal(1), "x_weight", (4, 4))
    other = _fill(init.Normal(1), "x_weight", (4, 4))
    mx.random.seed(7)
    assert (_fill(init.Normal(1), "x_weight", (4, 4)) == first).all()
    assert (first != other).any()


@pytest.mark.parametrize("factor", ["avg", "in", "out"])
def test_xavier_scale(factor):
    shape = (40, 30, 3, 3)
    fans = {"in": 30 * 9, "out": 40 * 9, "avg": 35 * 9}
    bound = math.sqrt(3 / fans[factor])
    draws = _fill(init.Xavier(factor_type=factor), "x_weight", shape)
    assert np.abs(draws).max() == pytest.approx(bound, rel=0.01)
    draws = _fill(init.Xavier("gaussian", factor, 2), "x_weight", shape)
    assert draws.std() == pytest.approx(math.sqrt(2 / fans[factor]), rel=0.03)


def test_xavier_refuses():
    with pytest.raises(ValueError, match="at least 2D"):
        _fill(init.Xavier(), "x_weight", (3,))
    with pytest.raises(ValueError, match="random type"):
        _fill(init.Xavier("foo"), "x_weight", (3, 3))
    with pytest.raises(ValueError, match="factor type"):
        _fill(init.Xavier(factor_type="foo"), "x_weight", (3, 3))


def test_msra_magnitude():
    assert init.MSRAPrelu().magnitude == pytest.approx(2 / (1 + 0.25**2))
    assert init.MSRAPrelu().dumps() == '["msraprelu", {"factor_type": "avg", "slope": 0.25}]'


@pytest.mark.parametrize("shape", [(4, 3, 2), (6, 2), (3, 3)])
@pytest.mark.parametrize("kind", ["uniform", "normal"])
def test_orthogonal(shape, kind):
    matrix = _fill(init.Orthogonal(2.0, kind), "x_weight", shape).reshape(shape[0], -1)
    small = matrix @ matrix.T if matrix.shape[0] <= matrix.shape[1] else matrix.T @ matrix
    np.testing.assert_allclose(small, 4 * np.eye(len(small)), atol=1e-4)


def test_bilinear():
    expected = np.outer([0.25, 0.75, 0.75, 0.25], [0.25, 0.75, 0.75, 0.25])
    filled = _fill(init.Bilinear(), "x_weight", (2, 1, 4, 4))
    np.testing.assert_allclose(filled, np.broadcast_to(expected, (2, 1, 4, 4)))


def test_lstm_bias():
    attrs = {"__init__": init.LSTMBias(2.0).dumps()}
    filled = _fill(init.Zero(), "lstm_bias", (8,), attrs=attrs)
    assert filled.tolist() == [0, 0, 2, 2, 0, 0, 0, 0]


@pytest.mark.parametrize("bidirectional", [False, True])
@pytest.mark.parametrize("layers", [1, 2])
def test_fused_rnn(bidirectional, layers):
    hidden, inputs, sides = 3, 2, 1 + bidirectional
    below = [inputs] + [hidden * sides] * (layers - 1)
    weights = sum(sides * 4 * hidden * (n + hidden) for n in below)
    biases = [0, 0, 0, 2, 2, 2, 0, 0, 0, 0, 0, 0] * (2 * sides * layers)
    fused = init.FusedRNN(init.One(), hidden, layers, "lstm", bidirectional, 2.0)
    filled = _fill(
        init.Zero(), "rnn_parameters", (weights + len(biases),), attrs={"__init__": fused.dumps()}
    )
    assert (filled[:weights] == 1).all()
    assert filled[weights:].tolist() == biases


def test_fused_rnn_uses_the_models_initializer_and_refuses_misfits():
    fused = {"__init__": init.FusedRNN(None, 3, 1, "gru").dumps()}
    filled = _fill(init.Zero(), "p", (63,), attrs=fused, global_init=init.One())
    assert filled.tolist() == [1] * 45 + [0] * 18
    with pytest.raises(ValueError, match="fits no input size"):
        _fill(init.Zero(), "p", (64,), attrs=fused, global_init=init.One())


def test_mixed():
    mixed = init.Mixed(["bias", ".*"], [init.Constant(2), init.One()])
    array = mx.nd.zeros(2)
    mixed(init.InitDesc("fc_weight"), array)
    assert array.asnumpy().tolist() == [1, 1]
    with pytest.raises(ValueError, match="did not match"):
        init.Mixed(["bias"], [init.Zero()])(init.InitDesc("x"), array)
    with pytest.raises(AssertionError):
        init.Mixed(["a"], [])


def test_load():
    load = init.Load({"arg:a": mx.nd.array([1, 2]), "b": mx.nd.ones(3)}, init.One())
    array = mx.nd.zeros(2)
    load("a", array)
    assert array.asnumpy().tolist() == [1, 2]
    load(init.InitDesc("missing_weight"), array)
    assert array.asnumpy().tolist() == [1, 1]
    with pytest.raises(AssertionError, match="Shape mismatch"):
        load("b", array)
    with pytest.raises(AssertionError, match="Cannot Initialize c"):
        init.Load({})("c", array)


@pytest.mark.parametrize(
    "initializer",
    [init.Uniform(0.3), init.Xavier("gaussian", "in", 2), init.LSTMBias(2.0), init.Constant(3)],
)
def test_json_round_trip(initializer):
    assert init.create(initializer.dumps()) == initializer
    assert initializer != init.Zero()


def test_create():
    assert init.create("Xavier", magnitude=2).magnitude == 2
    assert init.create({"initializer": "zeros"}) == init.Zero()
    assert init.create(init.Zero()) == init.Zero()
    for bad in ("nosuch", "[broken", '["zero"]', "{"):
        with pytest.raises(ValueError):
            init.create(bad)
    with pytest.raises(AssertionError):
        init.create(3)


def test_users_initializer():
    @init.register
    class Sevens(init.Initializer):
        def _init_weight(self, name, arr):
            arr[:] = 7

    assert (_fill(init.create("sevens"), "x_weight", (2,)) == 7).all()


def test_verbose(caplog):
    with caplog.at_level("INFO"):
        _fill(init.One().set_verbosity(True), "x_weight", (4,))
    assert caplog.messages == ["Initialized x_weight as weight: 1.0"]


def test_bfloat16_weights():
    array = mx.nd.zeros((50, 50), dtype="bfloat16")
    init.Uniform(0.5)(init.InitDesc("x_weight"), array)
    assert array.astype("float32").asnumpy().std() == pytest.approx(0.5 / 3**0.5, rel=0.05)
