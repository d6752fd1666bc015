"""Densities: sums and integrals over all values, and shapes of parameters."""

import numpy as np
import pytest

import baryon as mx

COUNTS = np.arange(200.0)
GRID = np.linspace(-20, 60, 800001)


def density(name, sample, *params, **flags):
    function = getattr(mx.nd, f"random_pdf_{name}")
    arrays = [mx.nd.array(x, dtype="float64") for x in (sample, *params)]
    return function(*arrays, **flags).asnumpy()


@pytest.mark.parametrize(
    "name, params, mean",
    [
        ("poisson", [2.5], 2.5),
        ("negative_binomial", [3, 0.4], 4.5),
        ("generalized_negative_binomial", [3, 0.4], 3),
    ],
)
def test_probabilities_of_counts_sum_to_one(name, params, mean):
    p = density(name, COUNTS[None], *([x] for x in params))[0]
    np.testing.assert_allclose([p.sum(), (p * COUNTS).sum()], [1, mean], rtol=1e-6)


@pytest.mark.parametrize(
    "name, params, mean",
    [("normal", [2, 1.5], 2), ("gamma", [3, 0.5], 6), ("exponential", [0.5], 2)],
)
def test_densities_integrate_to_one(name, params, mean):
    grid = GRID if name == "normal" else GRID[GRID > 0]
    p = density(name, grid[None], *([x] for x in params))[0]
    step = GRID[1] - GRID[0]
    np.testing.assert_allclose([p.sum() * step, (p * grid).sum() * step], [1, mean], rtol=1e-3)


@pytest.mark.parametrize("shape", [(2,), (2, 3), (2, 3, 4)])
def test_parameters_belong_to_rows(shape):
    sample = np.random.default_rng(0).normal(size=(2, 3, 4))
    mu = np.random.default_rng(1).normal(size=shape)
    got = density("normal", sample, mu, np.ones(shape), is_log=True)
    wide = mu.reshape(shape + (1,) * (3 - len(shape)))
    want = -0.5 * (sample - wide) ** 2 - 0.5 * np.log(2 * np.pi)
    np.testing.assert_allclose(got, want, rtol=1e-9)


def test_dirichlet_of_two_classes_is_the_beta_density():
    x = np.array([0.2, 0.7])
    got = density("dirichlet", np.stack([x, 1 - x], -1)[None], [[2.0, 3.0]])
    np.testing.assert_allclose(got, [12 * x * (1 - x) ** 2], rtol=1e-9)


def test_dirichlet_of_one_vector_is_one_element():
    sample, alpha = mx.nd.array([0.2, 0.8]), mx.nd.array([2.0, 3.0])
    sample.attach_grad()
    with mx.autograd.record():
        value = mx.nd.random_pdf_dirichlet(sample, alpha)
    value.backward()
    np.testing.assert_allclose(value.asnumpy(), [12 * 0.2 * 0.8**2], rtol=1e-5)
    np.testing.assert_allclose(sample.grad.asnumpy(), [12 * 0.8**2, 24 * 0.2 * 0.8], rtol=1e-5)


def test_counts_have_no_gradient():
    sample, lam = mx.nd.array([[2.0, 3.0]]), mx.nd.array([1.5])
    for x in (sample, lam):
        x.attach_grad()
    with mx.autograd.record():
        value = mx.nd.random_pdf_poisson(sample, lam, is_log=True)
    value.backward()
    assert not sample.grad.asnumpy().any()
    np.testing.assert_allclose(lam.grad.asnumpy(), [5 / 1.5 - 2], rtol=1e-5)


def test_parameters_of_other_rows_are_refused():
    with pytest.raises(mx.MXNetError, match="operator _random_pdf_normal"):
        density("normal", np.ones((2, 3)), np.ones(3), np.ones(3))
    with pytest.raises(mx.MXNetError, match="operator _random_pdf_dirichlet"):
        density("dirichlet", np.ones((2, 3)), np.ones((2, 2)))
