"""Arithmetic, comparison and logic on two tensors and with a number, against NumPy."""

from __future__ import annotations

import numpy as np
import pytest

import baryon as mx
from baryon.ops import get

OPERATIONS = {
    "add": np.add,
    "sub": np.subtract,
    "mul": np.multiply,
    "div": np.divide,
    "power": np.power,
    "maximum": np.maximum,
    "minimum": np.minimum,
    "hypot": np.hypot,
    "mod": np.mod,
}
TESTS = {
    "equal": np.equal,
    "not_equal": np.not_equal,
    "greater": np.greater,
    "greater_equal": np.greater_equal,
    "lesser": np.less,
    "lesser_equal": np.less_equal,
    "logical_and": np.logical_and,
    "logical_or": np.logical_or,
    "logical_xor": np.logical_xor,
}
SHAPES = [
    ((2, 3), (2, 3)),
    ((2, 3), (1,)),
    ((1,), (2, 3)),
    ((4, 3), (3,)),
    ((4, 3), (4, 1)),
    ((2, 3, 4), (1, 3, 1)),
    ((1, 3, 1), (2, 3, 4)),
    ((2, 1, 4), (1, 3, 1)),
    ((2, 1, 3, 1, 2), (1, 4, 3, 5, 1)),
    ((64, 33, 7, 9), (33, 1, 1)),
    ((300, 1), (1, 400)),
]


def broadcast(name, a, b):
    left, right = (mx.nd.array(v, dtype=v.dtype) for v in (a, b))
    return getattr(mx.nd, f"broadcast_{name}")(left, right).asnumpy()


def scalar(name, a, value, **attrs):
    data = mx.nd.array(a, dtype=a.dtype)
    return getattr(mx.nd._internal, f"_{name}_scalar")(data, scalar=value, **attrs).asnumpy()


def draws(*shapes):
    rng = np.random.default_rng(2)
    return [rng.uniform(0.5, 3, s).astype(np.float32) for s in shapes]


@pytest.mark.parametrize("shapes", SHAPES, ids=str)
@pytest.mark.parametrize("name", OPERATIONS)
def test_broadcasting_arithmetic(name, shapes):
    a, b = draws(*shapes)
    np.testing.assert_allclose(broadcast(name, a, b), OPERATIONS[name](a, b), rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("dtype", ["float32", "float64", "float16", "int32", "int64", "uint8"])
@pytest.mark.parametrize("name", TESTS)
def test_comparisons_give_0_or_1_in_the_inputs_dtype(name, dtype):
    rng = np.random.default_rng(3)
    a, b = (rng.integers(0, 3, s).astype(dtype) for s in ((5, 70), (5, 1)))
    got = broadcast(name, a, b)
    assert got.dtype == a.dtype
    np.testing.assert_array_equal(got, TESTS[name](a, b).astype(dtype))


@pytest.mark.parametrize("size", [1, 1023, 1025, 40_001, 2_200_003])
def test_sizes_that_cross_blocks_threads_and_streaming(size):
    a, b = draws((size,), (size,))
    np.testing.assert_array_equal(broadcast("mul", a, b), a * b)
    half = a.astype(np.float16)
    np.testing.assert_array_equal(broadcast("add", half, half), half + half)


def test_operation_in_place():
    a, b = draws((3_000_000,), (3_000_000,))
    x = mx.nd.array(a)
    x += mx.nd.array(b)
    x *= 2
    np.testing.assert_array_equal(x.asnumpy(), (a + b) * 2)


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_special_values():
    values = np.float32([0, -0.0, 1, -1, 2, -2, 3, 0.5, -0.5, np.inf, -np.inf, np.nan])
    a, b = (v.ravel() for v in np.meshgrid(values, values))
    for name in ("power", "maximum", "minimum", "hypot", "add", "div"):
        want = OPERATIONS[name](a.astype(np.float64), b).astype(np.float32)
        np.testing.assert_allclose(broadcast(name, a, b), want, rtol=1e-6, err_msg=name)
    remainder = np.where(b == 0, 0, np.mod(a, np.where(b == 0, 1, b)))
    np.testing.assert_allclose(broadcast("mod", a, b), remainder)


@pytest.mark.parametrize("dtype", ["int8", "int32", "int64"])
def test_integer_division_cuts_and_never_traps(dtype):
    lowest = np.iinfo(dtype).min
    a = np.array([-7, 7, -7, 6, 5, lowest], dtype)
    b = np.array([2, -2, -2, -3, 0, -1], dtype)
    assert broadcast("div", a, b).tolist() == [-3, -3, 3, -2, 0, lowest]
    assert broadcast("mod", a, b).tolist() == [1, -1, -1, 0, 0, 0]


def test_scalar_forms():
    (a,) = draws((3, 50))
    cases = {
        "plus": a + 2.5,
        "minus": a - 2.5,
        "rminus": 2.5 - a,
        "mul": a * 2.5,
        "div": a / np.float32(2.5),
        "rdiv": 2.5 / a,
        "mod": np.mod(a, np.float32(2.5)),
        "rmod": np.mod(np.float32(2.5), a),
        "power": a**2.5,
        "rpower": 2.5**a,
        "maximum": np.maximum(a, 2.5),
        "minimum": np.minimum(a, 2.5),
        "hypot": np.hypot(a, 2.5),
        "greater": a > 2.5,
        "lesser_equal": a <= 2.5,
    }
    for name, want in cases.items():
        got = scalar(name, a, 2.5)
        np.testing.assert_allclose(got, want, rtol=2e-6, atol=1e-6, err_msg=name)


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
@pytest.mark.parametrize("exponent", [0.0, 0.5, 1.0, 2.0, 3.0, -1.0, -0.5, 2.5])
def test_power_of_special_bases(exponent):
    base = np.float32([0, -0.0, 1, -1, 2, -2, 0.3, np.inf, -np.inf, np.nan])
    # An array of exponents: with a number NumPy takes sqrt, which is not pow at -inf.
    want = np.power(base.astype(np.float64), np.full(base.shape, exponent)).astype(np.float32)
    np.testing.assert_allclose(scalar("power", base, exponent), want, rtol=1e-6)


def test_scalar_meets_integers_in_their_dtype_unless_told_otherwise():
    a = np.array([0, 1, 3], np.int32)
    for name, want in (("plus", [2, 3, 5]), ("rminus", [2, 1, -1]), ("power", [0, 1, 9])):
        got = scalar(name, a, 2.5)
        assert (got.dtype, got.tolist()) == (np.int32, want)
    got = scalar("plus", a, 2.5, is_int=False)
    assert (got.dtype, got.tolist()) == (np.float64, [2.5, 3.5, 5.5])
    got = scalar("plus", a.astype(bool), 2.5)
    assert (got.dtype, got.tolist()) == (np.int64, [2, 3, 3])
    assert scalar("rminus", np.array([7], np.uint8), -300.0).tolist() == [205]


@pytest.mark.parametrize(
    ("name", "left", "right"),
    [
        ("broadcast_maximum", [0, 1, 1], [1, 0, 0]),
        ("broadcast_minimum", [1, 0, 1], [0, 1, 0]),
    ],
)
def test_ties_send_the_gradient_left(name, left, right):
    a, b = mx.nd.array([1.0, 3.0, 2.0]), mx.nd.array([2.0, 1.0, 2.0])
    for x in (a, b):
        x.attach_grad()
    with mx.autograd.record():
        y = getattr(mx.nd, name)(a, b)
    y.backward()
    np.testing.assert_array_equal(a.grad.asnumpy(), left)
    np.testing.assert_array_equal(b.grad.asnumpy(), right)


@pytest.mark.parametrize("shapes", SHAPES[1:8], ids=str)
def test_gradients_are_summed_down_to_the_inputs(shapes):
    a, b = map(mx.nd.array, draws(*shapes))
    for x in (a, b):
        x.attach_grad()
    with mx.autograd.record():
        y = mx.nd.broadcast_mul(a, b)
    y.backward()
    for x, other in ((a, b), (b, a)):
        spread = np.broadcast_to(other.asnumpy(), y.shape)
        lead = tuple(range(y.ndim - x.ndim))
        want = spread.sum(axis=lead) if lead else spread
        ones = tuple(i for i, n in enumerate(x.shape) if n == 1)
        np.testing.assert_allclose(x.grad.asnumpy(), want.sum(axis=ones, keepdims=True), rtol=1e-6)


def test_sum_of_many():
    arrays = draws(*[(40_001,)] * 5)
    got = mx.nd.add_n(*map(mx.nd.array, arrays)).asnumpy()
    np.testing.assert_allclose(got, np.sum(arrays, axis=0), rtol=1e-6)


def test_errors_name_operator_shapes_and_dtypes():
    one = mx.nd.ones((2, 3))
    with pytest.raises(mx.base.MXNetError, match=r"broadcast_add.*\(2,3\).*\(4\)"):
        mx.nd.broadcast_add(one, mx.nd.ones(4))
    with pytest.raises(mx.base.MXNetError, match="elemwise_add"):
        get("elemwise_add")(one, mx.nd.ones((3, 2)))
    with pytest.raises(mx.base.MXNetError, match="int32"):
        mx.nd.broadcast_mul(one, one.astype("int32"))
