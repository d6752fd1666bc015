"""Operators on sparse arrays: the storage types that MXNet 1.9.1 gives, and NumPy's values.

The storage types in the tables below were observed by running MXNet 1.9.1 on the CPU.
"""

import itertools

import numpy as np
import pytest

import baryon as mx
from baryon import nd

A = np.array([[0, 0.5, 0, -0.25], [0, 0, 0, 0], [0.75, 0, 0, 0.5]], np.float32)
B = np.array([[0, -0.5, 0, 0], [0.25, 0, 0, 0], [0, 0, 0, 0]], np.float32)
STYPES = ("default", "row_sparse", "csr")
SHORT = {"d": "default", "r": "row_sparse", "c": "csr"}

KEEPS = """BlockGrad abs arcsin arcsinh arctan arctanh cbrt ceil degrees expm1 fix floor identity
log1p make_loss negative radians relu rint round sign sin sinh sqrt square tan tanh trunc
zeros_like contrib.round_ste contrib.sign_ste contrib.gradientmultiplier"""
DENSE = """sigmoid exp log cos gamma rsqrt rcbrt reciprocal softsign erf logical_not log2 arccos
cosh gammaln smooth_l1 ones_like transpose flatten softmax sum mean norm max"""


def stored(x, stype):
    return nd.array(x).tostype(stype)


def function(name):
    made = nd
    for part in name.split("."):
        made = getattr(made, part)
    return made


@pytest.mark.parametrize("name", KEEPS.split())
def test_operators_that_keep_storage(name):
    want = function(name)(nd.array(A)).asnumpy()
    for stype in STYPES:
        x = stored(A, stype)
        got = function(name)(x)
        assert got.stype == stype
        np.testing.assert_allclose(got.asnumpy(), want, rtol=1e-6)
        np.testing.assert_array_equal(x.asnumpy(), A)
        got.check_format() if stype != "default" else None


@pytest.mark.parametrize("name", DENSE.split())
def test_operators_that_give_dense_arrays(name):
    want = function(name)(nd.array(A)).asnumpy()
    for stype in STYPES:
        got = function(name)(stored(A, stype))
        assert got.stype == "default"
        np.testing.assert_allclose(got.asnumpy(), want, rtol=1e-6)


# What MXNet gives for (dense, row_sparse, csr) operands, by the number.
WITH_NUMBERS = {
    "_plus_scalar": {0: "drc", 2: "ddd", -2: "ddd"},
    "_minus_scalar": {0: "drc", 2: "ddd", -2: "ddd"},
    "_rminus_scalar": {0: "ddd", 2: "ddd"},
    "_mul_scalar": {0: "drc", 2: "drc", -2: "drc"},
    "_div_scalar": {2: "drc", -2: "drc"},
    "_rdiv_scalar": {2: "ddd"},
    "_mod_scalar": {2: "ddd"},
    "_power_scalar": {2: "ddd"},
    "_maximum_scalar": {0: "ddd", -2: "ddd"},
    "_scatter_plus_scalar": {2: "drc"},
    "_equal_scalar": {0: "ddd", 2: "drc", -2: "drc"},
    "_not_equal_scalar": {0: "drc", 2: "ddd"},
    "_greater_scalar": {0: "drc", 2: "drc", -2: "ddd"},
    "_greater_equal_scalar": {0: "ddd", 2: "drc", -2: "ddd"},
    "_lesser_scalar": {0: "drc", 2: "ddd", -2: "drc"},
    "_lesser_equal_scalar": {0: "ddd", 2: "ddd", -2: "drc"},
    "_logical_and_scalar": {0: "ddd", 2: "ddd"},
    "_hypot_scalar": {0: "ddd", 2: "ddd"},
}


@pytest.mark.parametrize("name", WITH_NUMBERS)
def test_arithmetic_with_numbers(name):
    for number, letters in WITH_NUMBERS[name].items():
        call = getattr(nd._internal, name)
        want = call(nd.array(A), scalar=number).asnumpy()
        for stype, letter in zip(STYPES, letters, strict=True):
            got = call(stored(A, stype), scalar=number)
            assert got.stype == SHORT[letter], (number, stype)
            if name != "_scatter_plus_scalar":
                np.testing.assert_array_equal(got.asnumpy(), want)


# MXNet's results of two operands of one shape that are not dense; all other pairs give dense ones.
PAIRS = {
    "elemwise_add": {"rr": "r", "cc": "c"},
    "elemwise_sub": {"rr": "r", "cc": "c"},
    "elemwise_mul": {"dr": "r", "dc": "c", "rd": "r", "rr": "r", "cd": "c", "cc": "c"},
    "elemwise_div": {},
    "broadcast_add": {},
    "broadcast_mul": {"cd": "c"},
    "maximum": {},
    "_internal._maximum": {"rr": "r", "cc": "c"},
    "_internal._minimum": {"rr": "r", "cc": "c"},
    "_internal._hypot": {"rr": "r", "cc": "c"},
    "_internal._equal": {},
    "_internal._identity_with_attr_like_rhs": {
        "dr": "r", "dc": "c", "rr": "r", "rc": "c", "cr": "r", "cc": "c"
    },
    "add_n": {"rr": "r"},
    "concat": {},
}  # fmt: skip


@pytest.mark.parametrize("name", PAIRS)
def test_pairs(name):
    want = function(name)(nd.array(A), nd.array(B)).asnumpy()
    for pair in itertools.product("drc", repeat=2):
        got = function(name)(*(stored(x, SHORT[s]) for x, s in zip((A, B), pair, strict=True)))
        assert got.stype == SHORT[PAIRS[name].get("".join(pair), "d")], pair
        np.testing.assert_array_equal(got.asnumpy(), want)
        got.check_format() if got.stype != "default" else None


def test_what_two_operands_store():
    """Rows that either has; elements of csr arrays where the result is not zero (as in MXNet)."""
    added = stored(A, "row_sparse") + stored(B, "row_sparse")
    assert added.indices.asnumpy().tolist() == [0, 1, 2]
    added = stored(A, "csr") + stored(B, "csr")
    assert added.indices.asnumpy().tolist() == [3, 0, 0, 3]
    product = nd.elemwise_mul(stored(A, "csr"), nd.array(B))
    assert product.indices.asnumpy().tolist() == [1, 3, 0, 3]


def test_python_operators():
    a, b = stored(A, "csr"), stored(B, "csr")
    for made, want, stype in (
        (a + b, A + B, "csr"),
        (a - b, A - B, "csr"),
        (a * b, A * B, "csr"),
        (a * 2, A * 2, "csr"),
        (2 * a, A * 2, "csr"),
        (a / 2, A / 2, "csr"),
        (a + 1, A + 1, "default"),
        (-a, -A, "csr"),
        (abs(a), abs(A), "csr"),
        (a == 0.5, A == 0.5, "csr"),
        (a * nd.ones((1, 4)), A, "csr"),
        (a / nd.full((3, 1), 2), A / 2, "csr"),
        (a * nd.array(B), A * B, "csr"),
        (nd.array(B) * a, A * B, "default"),
        (a + nd.array(B), A + B, "default"),
        (nd.sparse.add(a, b), A + B, "csr"),
        (nd.sparse.multiply(a, 3), A * 3, "csr"),
        (nd.sparse.subtract(2, a), 2 - A, "default"),
        (nd.add(a, b), A + B, "default"),
    ):
        assert made.stype == stype
        np.testing.assert_array_equal(made.asnumpy(), want.astype(np.float32))
    a += b
    assert a.stype == "csr"
    np.testing.assert_array_equal(a.asnumpy(), A + B)
    a *= 2
    dense = nd.ones((3, 4))
    dense += a
    np.testing.assert_array_equal(dense.asnumpy(), 1 + 2 * (A + B))


def test_out_takes_any_storage():
    for stype in STYPES:
        out = nd.zeros((3, 4), stype=stype)
        assert nd.sin(stored(A, "csr"), out=out) is out
        assert out.stype == stype
        np.testing.assert_allclose(out.asnumpy(), np.sin(A), rtol=1e-6)
        nd.elemwise_add(nd.array(A), nd.array(B), out=out)
        np.testing.assert_array_equal(out.asnumpy(), A + B)
    with pytest.raises(mx.MXNetError, match="out has shape"):
        nd.sin(stored(A, "csr"), out=nd.zeros((2, 4), stype="csr"))


def test_clip_and_quadratic():
    for low, high, letters in ((-1, 0.3, "drc"), (0, 1, "drc"), (0.2, 1, "ddd"), (-1, -0.1, "ddd")):
        for stype, letter in zip(STYPES, letters, strict=True):
            got = nd.clip(stored(A, stype), low, high)
            assert got.stype == SHORT[letter]
            np.testing.assert_array_equal(got.asnumpy(), A.clip(low, high))
    assert nd.contrib.quadratic(stored(A, "csr"), a=1, b=2).stype == "csr"
    assert nd.contrib.quadratic(stored(A, "csr"), a=1, b=2, c=1).stype == "default"


@pytest.mark.parametrize("lhs, rhs", [*itertools.product(STYPES, STYPES)])
@pytest.mark.parametrize("ta, tb", [(False, False), (False, True), (True, False), (True, True)])
def test_dot(lhs, rhs, ta, tb):
    rng = np.random.default_rng(5)
    a = (rng.standard_normal((5, 4)) * (rng.random((5, 4)) < 0.4)).astype(np.float32)
    b = (rng.standard_normal((4, 3)) * (rng.random((4, 3)) < 0.6)).astype(np.float32)
    natural = "default"
    if lhs == "csr" and rhs != "csr" and ta and not tb:
        natural = "row_sparse"
    if (lhs, rhs, ta) == ("default", "csr", False):
        natural = "csr"
    x, y = stored(a.T.copy() if ta else a, lhs), stored(b.T.copy() if tb else b, rhs)
    for wanted in (None, *STYPES):
        got = nd.dot(x, y, transpose_a=ta, transpose_b=tb, forward_stype=wanted)
        assert got.stype == (wanted or natural)
        np.testing.assert_allclose(got.asnumpy(), a @ b, rtol=1e-5, atol=1e-6)
        got.check_format() if got.stype != "default" else None


def test_dot_of_more_axes_and_types():
    x = stored(A, "csr")
    tensor = np.arange(24, dtype=np.float32).reshape(4, 2, 3)
    np.testing.assert_allclose(nd.dot(x, nd.array(tensor)).asnumpy(), np.tensordot(A, tensor, 1))
    vector = nd.array([1, 2, 3, 4])
    np.testing.assert_allclose(nd.dot(x, vector).asnumpy(), A @ vector.asnumpy())
    half = nd.dot(x.astype("float16"), nd.ones((4, 2), dtype="float16"))
    assert half.dtype is np.float16
    none = nd.dot(nd.sparse.zeros("csr", (3, 4)), nd.ones((4, 2)))
    assert not none.asnumpy().any()
    none = nd.dot(nd.sparse.zeros("csr", (3, 4)), nd.ones((3, 2)), transpose_a=True)
    assert none.stype == "row_sparse" and none.indices.shape == (0,)
    with pytest.raises(mx.MXNetError, match="contracted"):
        nd.dot(x, nd.ones((3, 2)))


def test_the_transposed_product_stores_all_columns_that_are_used():
    """Also those whose sum is zero: a lazy update touches them, as in MXNet."""
    made = nd.dot(stored(A, "csr"), nd.zeros((3, 2)), transpose_a=True)
    assert made.indices.asnumpy().tolist() == [0, 1, 3]
    assert not made.data.asnumpy().any()


@pytest.mark.parametrize("name", ["sum", "mean", "norm", "max"])
@pytest.mark.parametrize("axis", [None, 0, 1, (0, 1), -1])
@pytest.mark.parametrize("keepdims", [False, True])
def test_reductions(name, axis, keepdims):
    options = {} if axis is None else {"axis": axis}
    want = getattr(nd, name)(nd.array(A), keepdims=keepdims, **options).asnumpy()
    for stype in ("csr", "row_sparse"):
        got = getattr(nd, name)(stored(A, stype), keepdims=keepdims, **options)
        assert (got.stype, got.shape) == ("default", want.shape)
        np.testing.assert_allclose(got.asnumpy(), want, rtol=1e-6)


def test_square_sum_and_retain():
    x = stored(A, "row_sparse")
    squares = (A * A).sum(1)
    made = nd._internal._square_sum(x, axis=1, keepdims=True)
    assert (made.stype, made.shape) == ("row_sparse", (3, 1))
    np.testing.assert_allclose(made.asnumpy()[:, 0], squares)
    assert nd._internal._square_sum(x, axis=1).stype == "default"
    for kept in (nd.sparse.retain(x, nd.array([0, 1])), x.retain(nd.array([0, 1]))):
        assert kept.indices.asnumpy().tolist() == [0, 1]
        np.testing.assert_array_equal(kept.asnumpy(), A * [[1], [1], [0]])
    assert nd.sparse.gs_retain is nd.sparse.retain
    with pytest.raises(mx.MXNetError, match="index 9"):
        nd.sparse.retain(x, nd.array([9]))


def test_counting():
    x = stored(A, "csr")
    assert nd.contrib.getnnz(x).asnumpy().tolist() == [4]
    assert nd.contrib.getnnz(x, axis=1).asnumpy().tolist() == [2, 0, 2]
    assert nd.contrib.getnnz(x, axis=0).asnumpy().tolist() == [1, 1, 0, 2]


def test_slices_joins_and_selections():
    x = stored(A, "csr")
    for options in (
        {"begin": (0, 1), "end": (3, 4)},
        {"begin": (-2,), "end": (None,)},
        {"begin": (None, 2), "end": (2, None)},
        {"begin": (0,), "end": (3,), "step": (1,)},
    ):
        got = nd.slice(x, **options)
        got.check_format()
        np.testing.assert_array_equal(got.asnumpy(), nd.slice(nd.array(A), **options).asnumpy())
    assert nd.slice(x, begin=(0,), end=(3,), step=(2,)).stype == "default"
    joined = nd.concat(x, stored(B, "csr"), x, dim=0)
    joined.check_format()
    np.testing.assert_array_equal(joined.asnumpy(), np.concatenate([A, B, A]))
    for index, mode in (([0, 2, 0], "clip"), ([1], "clip"), ([5, -1], "clip"), ([5, -1], "wrap")):
        got = nd.take(x, nd.array(index), mode=mode)
        assert got.stype == "csr"
        want = nd.take(nd.array(A), nd.array(index), mode=mode).asnumpy()
        np.testing.assert_array_equal(got.asnumpy(), want)
    with pytest.raises(mx.MXNetError, match="1 axis"):
        nd.take(x, nd.array([[0]]))
    got = nd.where(x, nd.array(A), nd.array(B))
    assert got.stype == "default"
    np.testing.assert_array_equal(got.asnumpy(), np.where(A, A, B))


def test_what_is_large_stays_sparse():
    """A million by a million elements cannot be dense."""
    size = 1_000_000
    x = nd.sparse.csr_matrix(([1, 2, 3], ([0, 5, 7], [3, 3, size - 1])), shape=(size, size))
    assert (x + x * 2).sum().asscalar() == 18
    assert x.norm().asscalar() == pytest.approx(14**0.5)
    column = nd.sparse.row_sparse_array(([[1.0], [2.0]], [3, size - 1]), shape=(size, 1))
    made = nd.dot(x[0:8], column)
    assert made.asnumpy()[:, 0].tolist() == [1, 0, 0, 0, 0, 2, 0, 6]
    assert nd.concat(x[0:6], x[5:8], dim=0).shape == (9, size)


# Which updates of a row_sparse gradient touch its rows only, by storage types of all inputs.
LAZY = {
    "sgd_update": ("dr", "rr"),
    "sgd_mom_update": ("drd", "rrr"),
    "adam_update": ("drdd", "rrrr"),
    "ftrl_update": ("rrrr",),
    "_sparse_adagrad_update": ("drd", "rrr"),
    "mp_sgd_update": (),
    "nag_mom_update": (),
    "rmsprop_update": (),
}


@pytest.mark.parametrize("name", LAZY)
def test_updates(name):
    op, adagrad = mx.ops.get(name), name == "_sparse_adagrad_update"
    call = nd.sparse.adagrad_update if adagrad else function(name)
    count = len(op.inputs)
    values = [np.full((3, 4), 1.0), np.zeros((3, 4)), *[np.full((3, 4), 0.5)] * (count - 2)]
    values[1][1] = 1
    attrs = {"lr": 0.1} if adagrad else {"lr": 0.1, "wd": 0.1}
    full = [nd.array(v) for v in values]
    call(*full, out=full[0], **attrs)
    for stypes in itertools.product("dr", repeat=count):
        if stypes[1] == "d":
            continue
        arrays = [stored(v, SHORT[s]) for v, s in zip(values, stypes, strict=True)]
        call(*arrays, out=arrays[0], **attrs)
        rows = [1] if "".join(stypes) in LAZY[name] else [0, 1, 2]
        for got, want, before, letter in zip(arrays, full, values, stypes, strict=True):
            expected = before.copy()
            expected[rows] = want.asnumpy()[rows]
            assert got.stype == SHORT[letter]
            np.testing.assert_allclose(got.asnumpy(), expected, rtol=1e-5, err_msg=str(stypes))


def test_updates_that_are_not_lazy():
    weight, grad = nd.ones((3, 2)), nd.sparse.row_sparse_array(([[1, 1]], [1]), shape=(3, 2))
    nd.sgd_update(weight, grad, lr=0.1, wd=0.1, lazy_update=False, out=weight)
    np.testing.assert_allclose(weight.asnumpy()[:, 0], [0.99, 0.89, 0.99], rtol=1e-6)


def test_group_adagrad():
    weight, grad = nd.ones((3, 2)), nd.sparse.row_sparse_array(([[1, 1]], [1]), shape=(3, 2))
    history = nd.ones((3, 1))
    nd.contrib.group_adagrad_update(weight, grad, history, lr=0.1, out=weight)
    assert weight.asnumpy()[:, 0].tolist() == pytest.approx([1, 1 - 0.1 / 2**0.5, 1], rel=1e-4)
    assert history.asnumpy()[:, 0].tolist() == [1, 2, 1]
    states = nd.sparse.zeros("row_sparse", (3, 2))  # what is absent is zero
    full = nd.ones((3, 2)).tostype("row_sparse")
    nd.sgd_mom_update(full, grad, states, lr=0.1, momentum=0.9, out=full)
    np.testing.assert_allclose(states.asnumpy()[:, 0], [0, -0.1, 0])
    np.testing.assert_allclose(full.asnumpy()[:, 0], [1, 0.9, 1])


@pytest.mark.parametrize("dtype", ["float32", "float64", "float16"])
def test_kernels_and_numpy_give_the_same_products(dtype, monkeypatch):
    rng = np.random.default_rng(8)
    a = (rng.standard_normal((40, 90)) * (rng.random((40, 90)) < 0.1)).astype(dtype)
    x = stored(a, "csr").astype(dtype)
    right = nd.array(rng.standard_normal((90, 5)), dtype=dtype)
    left = nd.array(rng.standard_normal((40, 5)), dtype=dtype)
    found = []
    for native in (mx.ops.csr.native, None):
        monkeypatch.setattr(mx.ops.csr, "native", native)
        found.append([nd.dot(x, right), nd.dot(x, left, transpose_a=True)])
    for one, other in zip(*found, strict=True):
        tolerance = 1e-2 if dtype == "float16" else 1e-5
        np.testing.assert_allclose(one.asnumpy(), other.asnumpy(), rtol=tolerance, atol=tolerance)


@pytest.mark.parametrize("transpose", [False, True])
def test_products_read_nothing_outside(transpose):
    wrong = nd.sparse.csr_matrix(([1.0, 2.0], [0, 9], [0, 1, 2]), shape=(2, 4))
    with pytest.raises(IndexError):
        nd.dot(wrong, nd.ones((2 if transpose else 4, 3)), transpose_a=transpose)
