"""Linear algebra: cases beyond the samples, mostly gradients along symmetric perturbations."""

import numpy as np
import pytest

import baryon as mx

LINALG = mx.nd.linalg


def matrices(*shape, seed=0):
    return np.random.default_rng(seed).normal(size=shape)


def slopes(function, x, head):
    """The gradient of ``sum(head * function(x))`` along a direction, drawn and by differences."""
    direction = matrices(*x.shape, seed=5)
    array = mx.nd.array(x, dtype="float64")
    array.attach_grad()
    with mx.autograd.record():
        made = function(array)
        total = sum((h * m).sum() for h, m in zip(head(made), made, strict=True))
    total.backward()

    def value(shift):
        moved = function(mx.nd.array(x + shift * direction, dtype="float64"))
        return sum(float((h * m).sum().asscalar()) for h, m in zip(heads, moved, strict=True))

    heads = head(made)
    return float((array.grad.asnumpy() * direction).sum()), (value(1e-6) - value(-1e-6)) / 2e-6


def weights(outs):
    return [mx.nd.array(matrices(*o.shape, seed=i), dtype="float64") for i, o in enumerate(outs)]


def positive(x):
    """A symmetric, positive definite function of any matrix."""
    return LINALG.syrk(x) + mx.nd.linalg.makediag(mx.nd.ones_like(LINALG.extractdiag(x)))


SYMMETRIC = {
    "potrf": lambda x: [LINALG.potrf(positive(x))],
    "potri": lambda x: [LINALG.potri(LINALG.potrf(positive(x)))],
    "syevd": lambda x: LINALG.syevd(positive(x)),
    "eigenvalues": lambda x: LINALG.syevd(positive(x))[1:],
    "log-determinant": lambda x: [LINALG.sumlogdiag(LINALG.potrf(positive(x)))],
}


@pytest.mark.parametrize("function", SYMMETRIC.values(), ids=SYMMETRIC)
@pytest.mark.parametrize("shape", [(3, 3), (1, 1), (2, 4, 4)])
def test_gradients_of_symmetric_matrices(function, shape):
    got, want = slopes(function, matrices(*shape), weights)
    np.testing.assert_allclose(got, want, rtol=1e-5, atol=1e-6)


def test_cholesky_gradient_is_symmetric():
    a = mx.nd.array([[4.0, 1.0], [1.0, 3.0]])
    a.attach_grad()
    with mx.autograd.record():
        low = LINALG.potrf(a)
    low.backward(mx.nd.array([[1.0, 7.0], [2.0, 3.0]]))
    grad = a.grad.asnumpy()
    np.testing.assert_allclose(grad, grad.T, rtol=1e-6)


@pytest.mark.parametrize("rightside", [False, True])
@pytest.mark.parametrize("transpose", [False, True])
@pytest.mark.parametrize("lower", [False, True])
def test_triangular_solve_undoes_product(rightside, transpose, lower):
    flags = {"rightside": rightside, "transpose": transpose, "lower": lower}
    a = mx.nd.array(matrices(2, 3, 3) + 3 * np.eye(3))
    b = mx.nd.array(matrices(2, 4, 3) if rightside else matrices(2, 3, 4))
    product = LINALG.trmm(a, b, alpha=2.0, **flags)
    back = LINALG.trsm(a, product, alpha=0.5, **flags)
    np.testing.assert_allclose(back.asnumpy(), b.asnumpy(), rtol=1e-4, atol=1e-5)
    t = (np.tril if lower else np.triu)(a.asnumpy())
    t = t.swapaxes(-1, -2) if transpose else t
    want = b.asnumpy() @ t if rightside else t @ b.asnumpy()
    np.testing.assert_allclose(product.asnumpy(), 2 * want, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("offset", [-2, -1, 0, 1, 2])
@pytest.mark.parametrize("lower", [False, True])
def test_triangles_there_and_back(offset, lower):
    a = matrices(2, 4, 4).astype("float32")
    packed = LINALG.extracttrian(mx.nd.array(a), offset=offset, lower=lower)
    below = lower if offset == 0 else offset < 0
    want = np.tril(a, offset) if below else np.triu(a, offset)
    back = LINALG.maketrian(packed, offset=offset, lower=lower)
    np.testing.assert_array_equal(back.asnumpy(), want)


def test_upper_triangles_are_packed_by_columns():
    a = mx.nd.array(np.arange(16).reshape(4, 4))
    got = LINALG.extracttrian(a, offset=1).asnumpy()
    np.testing.assert_array_equal(got, [1, 2, 6, 3, 7, 11])


@pytest.mark.parametrize("shape", [(3, 3), (2, 3, 3), (2, 2, 4, 4)])
def test_determinants(shape):
    a = matrices(*shape)
    array = mx.nd.array(a, dtype="float64")
    want = np.linalg.det(a)
    np.testing.assert_allclose(LINALG.det(array).asnumpy(), want.reshape(shape[:-2] or (1,)))
    sign, log = (x.asnumpy().reshape(want.shape) for x in LINALG.slogdet(array))
    np.testing.assert_allclose(sign * np.exp(log), want)
    np.testing.assert_allclose(LINALG.inverse(array).asnumpy(), np.linalg.inv(a))


def test_determinant_of_a_singular_matrix_has_no_gradient():
    a = mx.nd.ones((2, 2))
    a.attach_grad()
    with mx.autograd.record():
        value = LINALG.det(a)
    value.backward()
    assert value.asscalar() == 0 and not a.grad.asnumpy().any()


def test_equal_eigenvalues_keep_a_finite_gradient():
    a = mx.nd.array(np.eye(3))
    a.attach_grad()
    with mx.autograd.record():
        vectors, _ = LINALG.syevd(a)
        total = (vectors * mx.nd.array(np.arange(9).reshape(3, 3))).sum()
    total.backward()
    assert np.isfinite(a.grad.asnumpy()).all()


@pytest.mark.parametrize("shape", [(3, 3), (2, 5), (4, 2, 3)])
def test_lq_and_eigenvectors_rebuild_the_matrix(shape):
    a = matrices(*shape)
    q, low = LINALG.gelqf(mx.nd.array(a, dtype="float64"))
    np.testing.assert_allclose(LINALG.gemm2(low, q).asnumpy(), a)
    assert not np.triu(low.asnumpy(), 1).any()
    s = a @ a.swapaxes(-1, -2)
    u, values = (x.asnumpy() for x in LINALG.syevd(mx.nd.array(s, dtype="float64")))
    np.testing.assert_allclose(u.swapaxes(-1, -2) * values[..., None, :] @ u, s, atol=1e-9)
    assert (np.take_along_axis(u, np.abs(u).argmax(-1)[..., None], -1) > 0).all()


@pytest.mark.parametrize(
    "call",
    [
        lambda: LINALG.potrf(mx.nd.array([[1, 2], [2, 1]])),
        lambda: LINALG.potri(mx.nd.zeros((2, 2))),
        lambda: LINALG.inverse(mx.nd.zeros((2, 2))),
        lambda: LINALG.trsm(mx.nd.zeros((2, 2)), mx.nd.ones((2, 2))),
        lambda: LINALG.trmm(mx.nd.ones((2, 2)), mx.nd.ones((2, 3)), rightside=True),
        lambda: LINALG.det(mx.nd.ones((2, 3))),
        lambda: LINALG.det(mx.nd.ones((2, 2), dtype="int32")),
        lambda: LINALG.gelqf(mx.nd.ones((3, 2))),
        lambda: LINALG.maketrian(mx.nd.ones(5)),
        lambda: LINALG.extractdiag(mx.nd.ones((2, 2)), offset=2),
        lambda: LINALG.extracttrian(mx.nd.ones(4)),
    ],
)
def test_errors_name_the_operator(call):
    with pytest.raises(mx.MXNetError, match="operator _linalg_"):
        call()
