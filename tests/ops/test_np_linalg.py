"""Products, linear algebra and norms of the NumPy interface against NumPy and differences."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest

import baryon as mx

RNG = np.random.default_rng(3)


def symmetric(size):
    a = RNG.normal(size=(size, size))
    return a + a.T + np.diag(np.arange(size) * 3.0)


def slope(function, a, direction, eps=1e-6):
    """Derivative of a NumPy function along a direction."""
    return (function(a + eps * direction) - function(a - eps * direction)) / (2 * eps)


def gradient_of(function, a):
    x = mx.np.array(a, dtype="float64")
    x.attach_grad()
    with mx.autograd.record():
        y = function(x)
    y.backward()
    return x.grad.asnumpy()


def upright(vectors):
    rows = np.swapaxes(vectors, -1, -2)
    big = np.take_along_axis(rows, np.abs(rows).argmax(-1)[..., None], -1)
    return np.swapaxes(np.where(big < 0, -rows, rows), -1, -2)


@pytest.mark.parametrize("uplo", ["L", "U"])
def test_gradient_of_symmetric_eigenvalues(uplo):
    a, d = symmetric(4), symmetric(4)
    w, v = RNG.normal(size=4), RNG.normal(size=(4, 4))

    def loss(a):
        values, vectors = np.linalg.eigh(a)
        return (values * w).sum() + (upright(vectors) * v).sum()

    def ours(x):
        values, vectors = mx.np.linalg.eigh(x, UPLO=uplo)
        weights = mx.np.array(w, dtype="float64"), mx.np.array(v, dtype="float64")
        return (values * weights[0]).sum() + (vectors * weights[1]).sum()

    got = gradient_of(ours, a)
    np.testing.assert_allclose(got, got.T, atol=1e-12)
    assert (got * d).sum() == pytest.approx(slope(loss, a, d), rel=1e-5)
    got = gradient_of(lambda x: (mx.np.linalg.eigvalsh(x) ** 2).sum(), a)
    np.testing.assert_allclose(got, 2 * a, rtol=1e-6, atol=1e-8)


def test_factorisations_give_the_matrix_back():
    a = RNG.normal(size=(2, 3, 5)).astype("float32")
    ut, s, v = (x.asnumpy() for x in mx.np.linalg.svd(mx.np.array(a)))
    np.testing.assert_allclose(ut * s[..., None, :] @ v, a, atol=1e-5)
    square = mx.np.array(symmetric(3), dtype="float64")
    values, vectors = (x.asnumpy() for x in mx.np.linalg.eig(square))
    np.testing.assert_allclose(square.asnumpy() @ vectors, vectors * values, atol=1e-9)
    with pytest.raises(mx.MXNetError, match="_npi_eig: complex"):
        mx.np.linalg.eig(mx.np.array([[0.0, 1.0], [-1.0, 0.0]]))
    with pytest.raises(mx.MXNetError, match="_npi_solve: the matrix is singular"):
        mx.np.linalg.solve(mx.np.zeros((2, 2)), mx.np.ones(2))


def test_types_of_solutions():
    ints = mx.np.array([[4, 1], [1, 3]], dtype="int32")
    assert mx.np.linalg.solve(ints, mx.np.array([1, 2], dtype="int32")).dtype == np.float64
    assert mx.np.linalg.eigvalsh(ints).dtype == np.float64
    doubles = mx.np.array([[4, 1], [1, 3]], dtype="float64")
    assert mx.np.linalg.solve(doubles, mx.np.ones(2)).dtype == np.float64


@pytest.mark.parametrize("ord", [None, "fro", "nuc", 1, -1, 2, -2, math.inf, -math.inf])
def test_norms_of_matrices(ord):
    a = RNG.normal(size=(2, 3, 4))
    got = mx.np.linalg.norm(mx.np.array(a, dtype="float64"), ord, axis=(0, 2))
    np.testing.assert_allclose(got.asnumpy(), np.linalg.norm(a, ord, axis=(0, 2)), rtol=1e-6)


@pytest.mark.parametrize("ord", [None, 0, 1, 2, 3, -1, math.inf, -math.inf])
def test_norms_of_vectors(ord):
    a = RNG.normal(size=(3, 4))
    got = mx.np.linalg.norm(mx.np.array(a, dtype="float64"), ord, axis=1, keepdims=True)
    np.testing.assert_allclose(got.asnumpy(), np.linalg.norm(a, ord, 1, True), rtol=1e-6)


@pytest.mark.parametrize(
    "subscripts, shapes",
    [
        ("ij,jk,kl->il", [(2, 3), (3, 4), (4, 2)]),
        ("...ij,...jk", [(5, 2, 3), (3, 4)]),
        ("i...->...", [(2, 3)]),
        ("iij->ji", [(3, 3, 2)]),
        ("ij,ij", [(2, 3), (2, 3)]),
    ],
)
def test_einsum(subscripts, shapes):
    arrays = [RNG.normal(size=s).astype("float32") for s in shapes]
    got = mx.np.einsum(subscripts, *map(mx.np.array, arrays)).asnumpy()
    np.testing.assert_allclose(got, np.einsum(subscripts, *arrays), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("subscripts", ["ij,jk->iz", "ij", "ij,j->ii", "i,jk", "i1,jk"])
def test_subscripts_that_do_not_fit(subscripts):
    with pytest.raises(mx.MXNetError, match="operator _npi_einsum: .*subscripts"):
        mx.np.einsum(subscripts, mx.np.ones((2, 3)), mx.np.ones((3, 4)))


def test_gradient_of_products_where_mxnet_is_wrong():
    a, b = RNG.normal(size=(2, 1, 3, 4)), RNG.normal(size=(5, 4, 2))
    right = mx.np.array(b, dtype="float64")
    got = gradient_of(lambda x: mx.np.matmul(x, right), a)
    want = np.broadcast_to(b.sum((0, 2)), (2, 1, 3, 4))
    np.testing.assert_allclose(got, want, rtol=1e-9)


def test_determinants_in_files_of_numpy_mode():
    """MXNet's files name the legacy operator in both modes."""
    nodes = [
        {"op": "null", "name": "a", "inputs": []},
        {"op": "_linalg_det", "name": "det", "inputs": [[0, 0, 0]]},
    ]
    text = json.dumps({"nodes": nodes, "arg_nodes": [0], "heads": [[1, 0, 0]]})
    assert mx.sym.load_json(text).infer_shape(a=(2, 2))[1] == [(1,)]
    with mx.util.np_shape():
        assert mx.sym.load_json(text).infer_shape(a=(2, 2))[1] == [()]
