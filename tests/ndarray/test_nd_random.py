"""The random stream, and functions of distributions, against numpy's moments."""

import numpy as np
import pytest

import baryon as mx
from baryon import nd, streams
from baryon.ops import REGISTRY

MOMENTS = {  # call, mean, standard deviation
    "uniform": (lambda f, n: f(2, 6, shape=n), 4, 4 / np.sqrt(12)),
    "normal": (lambda f, n: f(1, 3, shape=n), 1, 3),
    "poisson": (lambda f, n: f(4, shape=n), 4, 2),
    "exponential": (lambda f, n: f(2, shape=n), 2, 2),
    "gamma": (lambda f, n: f(9, 0.5, shape=n), 4.5, 1.5),
    "negative_binomial": (lambda f, n: f(4, 0.5, shape=n), 4, np.sqrt(8)),
    "generalized_negative_binomial": (lambda f, n: f(2, 0.5, shape=n), 2, 2),
    "randint": (lambda f, n: f(0, 10, shape=n), 4.5, np.sqrt(99 / 12)),
}


@pytest.mark.parametrize("name", MOMENTS)
def test_moments(name):
    if f"_random_{name}" not in REGISTRY:
        pytest.skip(f"no operator _random_{name} yet")
    call, mean, deviation = MOMENTS[name]
    values = call(getattr(mx.random, name), (200, 200)).asnumpy()
    assert values.shape == (200, 200)
    assert values.dtype == (np.int32 if name == "randint" else np.float32)
    assert abs(values.mean() - mean) < 5 * deviation / 200
    assert abs(values.std() / deviation - 1) < 0.1


def test_seeds_repeat_and_differ():
    def draw():
        return nd.random.uniform(shape=(3, 3)).asnumpy(), nd.random.normal(shape=5).asnumpy()

    mx.random.seed(7)
    first = draw()
    mx.random.seed(7)
    again = draw()
    mx.random.seed(8)
    other = draw()
    for a, b, c in zip(first, again, other, strict=True):
        np.testing.assert_array_equal(a, b)
        assert not (a == c).any()
    with pytest.raises(ValueError):
        mx.random.seed("seven")
    mx.random.seed(np.int64(7), ctx=mx.cpu(1))
    np.testing.assert_array_equal(draw()[0], first[0])


def test_stream_numbers():
    mx.random.seed(3)
    assert streams.reserve(2) == (3, 0)
    saved = streams.state()
    assert mx.random.reserve() == (3, 2)
    streams.restore(saved)
    assert mx.random.reserve() == (3, 2)
    mx.random.seed(-1)
    assert streams.reserve() == (2**64 - 1, 0)


def test_arguments():
    assert nd.random.uniform(0, 1).shape == (1,)
    assert nd.random.uniform(0, 1, 3).shape == (3,)
    assert nd.random.normal(0, 1, (2, 2), dtype=np.float64).dtype is np.float64
    assert nd.random.uniform(shape=2, ctx=mx.cpu(1)).context == mx.cpu(1)
    assert nd.random.randn(2, 3, loc=1).shape == (2, 3)
    out = nd.zeros((2, 2))
    assert nd.random.uniform(1, 2, shape=(2, 2), out=out) is out
    assert out.asnumpy().min() >= 1
    assert sorted(nd.random.shuffle(nd.arange(5)).asnumpy().tolist()) == [0, 1, 2, 3, 4]
    with pytest.raises(ValueError, match="numbers or all"):
        nd.random.uniform(nd.array([0, 10]), 3)
    with pytest.raises(ValueError, match="numbers or all"):
        nd.random.normal("a", 3)
    with pytest.raises(mx.MXNetError, match="colour"):
        nd.random.normal(colour=3)
    with pytest.raises(TypeError, match="low"):
        nd.random.randint()


def test_one_distribution_an_element():
    if "_sample_uniform" not in REGISTRY:
        pytest.skip("no operator _sample_uniform yet")
    low, high = nd.array([0, 10]), nd.array([1, 20])
    values = nd.random.uniform(low, high, shape=(50,)).asnumpy()
    assert values.shape == (2, 50)
    assert values[0].max() <= 1 and values[1].min() >= 10
    assert nd.random.uniform(low, high).shape == (2,)
