"""Random samplers of the NumPy interface: moments, streams, parameters, gradients, errors."""

from __future__ import annotations

import numpy as np
import pytest

import baryon as mx

R, N = mx.np.random, (40000,)

# What is drawn, its mean and its variance.
MOMENTS = {
    "uniform": (lambda: R.uniform(1.0, 3.0, N), 2.0, 4 / 12),
    "normal": (lambda: R.normal(1.0, 2.0, N), 1.0, 4.0),
    "exponential": (lambda: R.exponential(2.0, N), 2.0, 4.0),
    "gumbel": (lambda: R.gumbel(1.0, 2.0, N), 1 + 2 * 0.5772157, np.pi**2 / 6 * 4),
    "logistic": (lambda: R.logistic(1.0, 2.0, N), 1.0, np.pi**2 / 3 * 4),
    "rayleigh": (lambda: R.rayleigh(2.0, N), 2 * np.sqrt(np.pi / 2), (4 - np.pi) / 2 * 4),
    "weibull": (lambda: R.weibull(2.0, N), 0.8862269, 1 - np.pi / 4),
    "pareto": (lambda: R.pareto(5.0, N), 0.25, 5 / (16 * 3)),
    "power": (lambda: R.power(3.0, N), 0.75, 3 / (16 * 5)),
    "gamma": (lambda: R.gamma(2.0, 3.0, N), 6.0, 18.0),
    "bernoulli": (lambda: mx.npx.random.bernoulli(prob=0.25, size=N), 0.25, 0.1875),
    "logit": (lambda: mx.npx.random.bernoulli(logit=np.log(3.0), size=N), 0.75, 0.1875),
    "choice": (lambda: R.choice(5, N), 2.0, 2.0),
}


@pytest.mark.parametrize("name", MOMENTS)
def test_moments(name):
    draw, mean, variance = MOMENTS[name]
    mx.random.seed(11)
    first = draw().asnumpy().astype("float64")
    assert first.mean() == pytest.approx(mean, abs=6 * np.sqrt(variance / N[0]))
    assert first.var() == pytest.approx(variance, rel=0.1)
    assert not np.array_equal(draw().asnumpy(), first)
    mx.random.seed(11)
    np.testing.assert_array_equal(draw().asnumpy(), first)


def test_parameters_broadcast_to_the_size():
    loc = mx.np.array([[0.0], [100.0]])
    assert R.normal(loc, 1.0).shape == (2, 1)
    assert R.normal(loc, mx.np.ones(3)).shape == (2, 3)
    drawn = R.normal(loc, 1.0, size=(4, 2, 3)).asnumpy()
    assert drawn.shape == (4, 2, 3)
    assert (np.abs(drawn[:, 1] - 100) < 10).all()
    assert mx.npx.random.normal_n(mx.np.zeros(3), 1.0, (2,)).shape == (2, 3)
    assert R.normal(0.0, 1.0).shape == ()
    with pytest.raises(mx.MXNetError, match="_npi_normal: .*broadcast"):
        R.normal(mx.np.zeros(2), 1.0, size=(3, 3))


# The sample as a function of its parameters and itself, differentiated by hand.
PATHS = {
    "normal": ((1.0, 2.0), lambda y, a, b: (1, (y - a) / b)),
    "gumbel": ((1.0, 2.0), lambda y, a, b: (1, (y - a) / b)),
    "logistic": ((1.0, 2.0), lambda y, a, b: (1, (y - a) / b)),
    "exponential": ((2.0,), lambda y, a: (y / a,)),
    "rayleigh": ((2.0,), lambda y, a: (y / a,)),
    "weibull": ((2.0,), lambda y, a: (-y * np.log(y) / a,)),
    "pareto": ((3.0,), lambda y, a: (-(y + 1) * np.log1p(y) / a,)),
}


@pytest.mark.parametrize("name", PATHS)
def test_gradients_by_parameters(name):
    values, path = PATHS[name]
    inputs = [mx.np.full((5,), v) for v in values]
    for x in inputs:
        x.attach_grad()
    with mx.autograd.record():
        y = getattr(R, name)(*inputs)
    y.backward()
    for x, want in zip(inputs, path(y.asnumpy(), *values), strict=True):
        np.testing.assert_allclose(x.grad.asnumpy(), np.broadcast_to(want, (5,)), rtol=2e-4)


def test_choices():
    mx.random.seed(2)
    assert sorted(R.choice(6, (6,), replace=False).tolist()) == list(range(6))
    odds = mx.np.array([0.0, 0.25, 0.75])
    counts = np.bincount(R.choice(3, (20000,), p=odds).asnumpy(), minlength=3) / 20000
    np.testing.assert_allclose(counts, [0, 0.25, 0.75], atol=0.02)
    firsts = [R.choice(3, (2,), replace=False, p=odds).tolist() for _ in range(300)]
    assert all(sorted(f) == [1, 2] for f in firsts)
    assert np.mean([f[0] == 2 for f in firsts]) == pytest.approx(0.75, abs=0.1)
    with pytest.raises((ValueError, mx.MXNetError)):
        R.choice(3, (4,), replace=False)


def test_multinomial():
    mx.random.seed(3)
    counts = R.multinomial(1000, [0.2, 0.3, 0.5], size=(50,)).asnumpy()
    assert counts.shape == (50, 3)
    assert (counts.sum(-1) == 1000).all()
    np.testing.assert_allclose(counts.mean(0), [200, 300, 500], rtol=0.05)
    with pytest.raises(mx.MXNetError, match="pvals"):
        R.multinomial(10, [0.9, 0.8])


@pytest.mark.parametrize(
    "call, words",
    [
        (lambda: R.normal(0.0, -1.0, (2,)), "scale must be not negative"),
        (lambda: R.gamma(-1.0, 1.0, (2,)), "shape must be positive"),
        (lambda: R.pareto(-1.0, (2,)), "a must be positive"),
        (lambda: R.weibull(mx.np.array([1.0, -1.0])), "a must be positive"),
        (lambda: mx.npx.random.bernoulli(prob=1.5, size=(2,)), "between 0 and 1"),
    ],
)
def test_parameters_out_of_range(call, words):
    with pytest.raises((mx.MXNetError, ValueError), match=words):
        call()
