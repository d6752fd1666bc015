"""Element-wise operators of one input: accuracy, special values, sizes, gradients at kinks."""

from __future__ import annotations

import math

import numpy as np
import pytest

import baryon as mx

SPECIAL = np.array(
    [np.nan, np.inf, -np.inf, -0.0, 0.0, -1.5, -0.5, 0.5, 1.5, 2.5, -2.5], np.float32
)
FUNCTIONS = {
    "exp": np.exp,
    "expm1": np.expm1,
    "log": np.log,
    "log2": np.log2,
    "log10": np.log10,
    "log1p": np.log1p,
    "sin": np.sin,
    "cos": np.cos,
    "tan": np.tan,
    "arcsin": np.arcsin,
    "arccos": np.arccos,
    "arctan": np.arctan,
    "sinh": np.sinh,
    "cosh": np.cosh,
    "tanh": np.tanh,
    "arcsinh": np.arcsinh,
    "arccosh": np.arccosh,
    "arctanh": np.arctanh,
    "sqrt": np.sqrt,
    "rsqrt": lambda x: 1 / np.sqrt(x),
    "cbrt": np.cbrt,
    "rcbrt": lambda x: 1 / np.cbrt(x),
    "sigmoid": lambda x: 1 / (1 + np.exp(-x)),
    "erf": np.vectorize(math.erf),
}


def apply(name: str, values: np.ndarray, **attrs) -> np.ndarray:
    return getattr(mx.nd, name)(mx.nd.array(values, dtype=values.dtype), **attrs).asnumpy()


def gradient(name: str, values: list[float], **attrs) -> np.ndarray:
    x = mx.nd.array(values)
    x.attach_grad()
    with mx.autograd.record():
        y = getattr(mx.nd, name)(x, **attrs)
    y.backward()
    return x.grad.asnumpy()


def every_kind_of_float32() -> np.ndarray:
    """Random bit patterns (all exponents, denormals, NaN) and common ranges."""
    rng = np.random.default_rng(0)
    bits = rng.integers(0, 2**32, 50_000, dtype=np.uint64).astype(np.uint32).view(np.float32)
    near = rng.normal(0, 1, 20_000).astype(np.float32)
    wide = rng.uniform(-105, 105, 20_000).astype(np.float32)
    return np.concatenate([bits, near, wide, SPECIAL, np.float32([1e-45, 88.72, 88.73, -103.97])])


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
@pytest.mark.parametrize("name", FUNCTIONS)
def test_float32_is_within_3_ulp_of_double_arithmetic(name):
    x = every_kind_of_float32()
    want = FUNCTIONS[name](x.astype(np.float64)).astype(np.float32)
    got = apply(name, x)
    finite = np.isfinite(want)
    np.testing.assert_array_equal(got[~finite], want[~finite])
    ulp = np.spacing(np.maximum(np.abs(want[finite]), np.finfo(np.float32).tiny))
    error = np.abs(got[finite].astype(np.float64) - want[finite]) / ulp
    assert error.max() <= 3, (x[finite][error.argmax()], error.max())


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
@pytest.mark.parametrize("name", FUNCTIONS)
def test_float64_agrees_with_numpy(name):
    rng = np.random.default_rng(1)
    x = np.concatenate([rng.normal(0, 1, 5000), rng.uniform(-720, 720, 5000), SPECIAL])
    with np.errstate(all="ignore"):
        want = FUNCTIONS[name](x)
    np.testing.assert_allclose(apply(name, x), want, rtol=1e-14, atol=1e-300)


@pytest.mark.parametrize(
    ("name", "want"),
    {
        "sign": [0, 1, -1, 0, 0, -1, -1, 1, 1, 1, -1],
        "round": [np.nan, np.inf, -np.inf, 0, 0, -2, -1, 1, 2, 3, -3],
        "rint": [np.nan, np.inf, -np.inf, 0, 0, -2, -1, 0, 1, 2, -3],
        "fix": [np.nan, np.inf, -np.inf, 0, 0, -1, 0, 0, 1, 2, -2],
        "relu": [np.nan, np.inf, 0, 0, 0, 0, 0, 0.5, 1.5, 2.5, 0],
        "logical_not": [0, 0, 0, 1, 1, 0, 0, 0, 0, 0, 0],
        "reciprocal": [np.nan, 0, -0.0, -np.inf, np.inf, -2 / 3, -2, 2, 2 / 3, 0.4, -0.4],
        "gammaln": [
            np.nan, np.inf, np.inf, np.inf, np.inf, 0.86004704, 1.26551213, 0.57236493,
            -0.12078224, 0.28468287, -0.05624371,
        ],
        "gamma": [
            np.nan, np.inf, np.nan, -np.inf, np.inf, 2.3632717, -3.5449080, 1.7724538, 0.88622695,
            1.3293406, -0.9453087,
        ],
    }.items(),
)  # fmt: skip
def test_special_values_are_those_of_mxnet(name, want):
    np.testing.assert_allclose(apply(name, SPECIAL), want, rtol=1e-6)


@pytest.mark.parametrize("dtype", ["float16", "bfloat16", "float32", "float64"])
@pytest.mark.parametrize("size", [1, 7, 1023, 1025, 40_001, 2_200_003])
def test_sizes_that_cross_blocks_threads_and_streaming(dtype, size):
    x = mx.nd.array(np.linspace(-3, 3, size)).astype(dtype)
    want = np.exp(x.astype("float64").asnumpy())
    rtol = {"float16": 1e-3, "bfloat16": 8e-3, "float32": 3e-7, "float64": 1e-15}[dtype]
    np.testing.assert_allclose(mx.nd.exp(x).astype("float64").asnumpy(), want, rtol=rtol)


def test_angles_beyond_the_fast_reduction():
    x = np.array([1e5, 1.5e5, 1e10, -1e22, 3e38, 0.5], np.float32)
    np.testing.assert_allclose(apply("sin", x), np.sin(x.astype(np.float64)), rtol=1e-6)
    np.testing.assert_allclose(apply("cos", x), np.cos(x.astype(np.float64)), rtol=1e-6)


def test_inverse_error_function_inverts():
    y = np.concatenate([np.linspace(-0.999999, 0.999999, 1001), [1e-12, -1e-12]])
    back = np.vectorize(math.erf)(apply("erfinv", y))
    np.testing.assert_allclose(back, y, rtol=1e-13)
    np.testing.assert_array_equal(
        apply("erfinv", np.array([1.0, -1.0, 1.5])), [np.inf, -np.inf, np.nan]
    )


def test_digamma_is_the_slope_of_gammaln():
    x = np.array([-3.7, -2.5, -0.3, 0.2, 0.9, 4.0, 30.0])
    slope = [(math.lgamma(v + 1e-5) - math.lgamma(v - 1e-5)) / 2e-5 for v in x]
    got = mx.ops.get("_digamma")(mx.nd.array(x, dtype="float64")).asnumpy()
    np.testing.assert_allclose(got, slope, rtol=1e-7, atol=1e-8)


def test_half_floats_round_to_nearest_even_and_keep_denormals():
    with np.errstate(over="ignore"):
        values = np.concatenate(
            [np.linspace(-70000, 70000, 9999), np.geomspace(1e-9, 1, 9999), [np.nan, np.inf]]
        ).astype(np.float32)
        want = values.astype(np.float16)
    np.testing.assert_array_equal(mx.nd.array(values).astype("float16").asnumpy(), want)


@pytest.mark.parametrize(
    ("name", "x", "want"),
    [
        ("abs", [-2.0, 0.0, 3.0], [-1, 0, 1]),
        ("relu", [-2.0, 0.0, 3.0], [0, 0, 1]),
        ("floor", [-2.5, 0.0, 3.5], [0, 0, 0]),
        ("BlockGrad", [1.0, 2.0], [0, 0]),
        ("sqrt", [4.0, 0.0], [0.25, np.inf]),
        ("gamma", [0.0, -0.0], [np.inf, -np.inf]),
        ("gammaln", [0.0, -1.0, -7.0, 1e-30], [np.inf, np.inf, np.inf, -1e30]),
        ("make_loss", [np.nan, np.inf, 2.0], [1, 1, 1]),
    ],
)
def test_gradients_at_kinks(name, x, want):
    np.testing.assert_allclose(gradient(name, x), want)


def test_straight_through_sign_of_nan_is_zero():
    x = mx.nd.array([np.nan, -np.inf, -0.5, 0, 2])
    np.testing.assert_array_equal(mx.nd.contrib.sign_ste(x).asnumpy(), [0, -1, -1, 0, 1])


def test_clip_passes_gradient_at_both_bounds_and_at_nan():
    got = gradient("clip", [-2.0, -1.0, 0.0, 1.0, 2.0, np.nan], a_min=-1, a_max=1)
    np.testing.assert_array_equal(got, [0, 1, 1, 1, 0, 1])


def test_integers_are_cut_and_bool_is_refused():
    assert apply("sqrt", np.array([0, 1, 4, 8], np.int32)).tolist() == [0, 1, 2, 2]
    assert apply("negative", np.array([0, 1, 4], np.uint8)).tolist() == [0, 255, 252]
    assert apply("clip", np.array([5, 0, 3], np.uint8), a_min=-1.5, a_max=3.5).tolist() == [3, 0, 3]
    with pytest.raises(mx.base.MXNetError, match="exp.*bool"):
        mx.nd.exp(mx.nd.array([1], dtype="bool"))
