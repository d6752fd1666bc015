"""Products of matrices of every shape that the tiles and their packing tell apart."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

import baryon as mx

SIZES = (
    (1, 1, 1),
    (3, 5, 2),
    (8, 32, 16),
    (14, 33, 17),
    (29, 70, 300),
    (45, 31, 520),
    (130, 64, 7),
    (1100, 40, 300),
)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("size", SIZES, ids=str)
def test_products(size, dtype):
    m, n, k = size
    rng = np.random.default_rng(m)
    a, b = rng.normal(size=(m, k)).astype(dtype), rng.normal(size=(k, n)).astype(dtype)
    want = a.astype("f8") @ b.astype("f8")
    tolerance = {"rtol": 1e-4, "atol": 1e-4} if dtype == "float32" else {"rtol": 1e-11}
    for ta, tb in itertools.product((False, True), repeat=2):
        left, right = (
            mx.nd.array(a.T if ta else a, dtype=dtype),
            mx.nd.array(b.T if tb else b, dtype=dtype),
        )
        got = mx.nd.dot(left, right, transpose_a=ta, transpose_b=tb)
        np.testing.assert_allclose(got.asnumpy(), want, **tolerance)


@pytest.mark.parametrize("size", SIZES, ids=str)
def test_scaled_and_added(size):
    m, n, k = size
    rng = np.random.default_rng(n)
    a, b, c = (rng.normal(size=s).astype("f4") for s in ((m, k), (k, n), (m, n)))
    arrays = map(mx.nd.array, (a, b, c))
    got = mx.nd.linalg.gemm(*arrays, alpha=0.5, beta=2.0).asnumpy()
    want = 0.5 * (a.astype("f8") @ b.astype("f8")) + 2.0 * c
    np.testing.assert_allclose(got, want, rtol=1e-4, atol=1e-4)


def test_no_row_behind_the_last_is_read():
    """A product of the last columns of a matrix, at the very end of its memory."""
    whole = np.arange(40 * 33, dtype="f4").reshape(40, 33) / 100
    left, right = mx.nd.array(whole[:, -9:]), mx.nd.ones((40, 32))
    got = mx.nd.dot(left, right, transpose_a=True).asnumpy()
    np.testing.assert_allclose(got, whole[:, -9:].T @ np.ones((40, 32), "f4"), rtol=1e-5)


# The last two are large enough for a matrix unit, in one or in several blocks of depth.
SPLIT = ((64, 64, 64), (35, 400, 2050), (1001, 1020, 300), (650, 300, 2600))


@pytest.mark.parametrize("size", SPLIT, ids=str)
@pytest.mark.parametrize("positive", [False, True])
def test_errors_are_those_of_float32(size, positive):
    """Also where a matrix unit multiplies parts of numbers: as near the truth as NumPy's floats."""
    m, n, k = size
    rng = np.random.default_rng(m)
    a, b = (rng.normal(size=s).astype("f4") for s in ((m, k), (k, n)))
    a, b = (abs(a), abs(b)) if positive else (a, b)
    a *= np.exp(rng.normal(size=(m, 1)) * 8).astype("f4")
    truth, scale = a.astype("f8") @ b.astype("f8"), abs(a).astype("f8") @ abs(b)
    most = max(4 * (abs(a @ b - truth) / scale).max(), 2 * k**0.5 * 2.0**-24)
    for ta, tb in itertools.product((False, True), repeat=2):
        left, right = mx.nd.array(a.T if ta else a), mx.nd.array(b.T if tb else b)
        got = mx.nd.dot(left, right, transpose_a=ta, transpose_b=tb).asnumpy()
        assert (abs(got - truth) / scale).max() < most


@pytest.mark.parametrize("beta", [0.0, 1.0])
@pytest.mark.parametrize("special", [np.inf, 3.4e38])
@pytest.mark.parametrize("which", [0, 1])
def test_numbers_that_are_not_finite(which, special, beta):
    operands = [np.ones((1030, 1100), "f4"), np.ones((1100, 500), "f4")]
    operands[which][3, 5] = special
    operands[which][60, 70] = 0.5
    sums = np.full((1030, 500), 2.0, "f4")
    got = mx.nd.linalg.gemm(*map(mx.nd.array, (*operands, sums)), beta=beta).asnumpy()
    with np.errstate(invalid="ignore", over="ignore"):
        want = operands[0] @ operands[1] + np.float32(beta) * sums
    np.testing.assert_allclose(got, want, rtol=1e-6)


def test_a_bias_is_added_to_every_block():
    rng = np.random.default_rng(1)
    for rows, hidden, features in ((3, 5, 2), (70, 130, 40), (1, 300, 5000), (40, 33, 3000)):
        x, w, b = (
            rng.normal(size=s).astype("f4") for s in ((rows, features), (hidden, features), hidden)
        )
        got = mx.nd.FullyConnected(*map(mx.nd.array, (x, w, b)), num_hidden=hidden).asnumpy()
        np.testing.assert_allclose(got, x.astype("f8") @ w.T + b, rtol=1e-4, atol=2e-4)


@pytest.mark.parametrize(
    "size", [(5, 130, 40), (64, 1000, 700), (33, 97, 1300), (700, 300, 256)], ids=str
)
@pytest.mark.parametrize("special", [None, np.nan])
def test_weights_that_are_kept_packed(size, special):
    """By the matrix unit from 3e7 multiplications on; twice, for the second call packs them."""
    rows, hidden, features = size
    rng = np.random.default_rng(2)
    net = mx.gluon.nn.Dense(hidden, in_units=features)
    net.initialize(mx.init.Normal(1.0))
    net.hybridize()
    weight, x = net.weight.data().asnumpy(), rng.normal(size=(rows, features)).astype("f4")
    if special is not None:
        weight[3, 4] = special
        net.weight.set_data(mx.nd.array(weight))
    for _ in range(4):
        with np.errstate(invalid="ignore"):
            want = x.astype("f8") @ weight.T
        got = net(mx.nd.array(x)).asnumpy()
        np.testing.assert_allclose(got, want, rtol=1e-4, atol=3e-4)
        x[1, 2] = np.inf  # what is not finite is computed otherwise
