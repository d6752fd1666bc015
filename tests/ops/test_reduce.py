"""Reductions and broadcasts: axes, precision, threads, NaN, ties, empty and tiny shapes."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

import baryon as mx
from baryon.native import native
from baryon.ops import get

NUMPY = {
    "sum": np.sum,
    "mean": np.mean,
    "prod": np.prod,
    "max": np.max,
    "min": np.min,
    "nansum": np.nansum,
    "nanprod": np.nanprod,
}
AXES = [c for n in range(1, 5) for c in itertools.combinations(range(4), n)]


def reduce(name, values, **attrs):
    return getattr(mx.nd, name)(mx.nd.array(values, dtype=values.dtype), **attrs).asnumpy()


@pytest.mark.parametrize("axis", AXES, ids=str)
@pytest.mark.parametrize("name", NUMPY)
def test_every_combination_of_axes(name, axis):
    x = np.random.default_rng(4).uniform(0.9, 1.1, (3, 5, 2, 40))
    want = NUMPY[name](x, axis=axis)
    for dtype, rtol in (("float32", 1e-5), ("float64", 1e-12)):
        got = reduce(name, x.astype(dtype), axis=axis)
        assert got.shape == (want.shape or (1,))
        np.testing.assert_allclose(got, want.reshape(got.shape), rtol=rtol)
    kept = reduce(name, x, axis=axis, keepdims=True)
    assert kept.shape == tuple(1 if i in axis else n for i, n in enumerate(x.shape))


@pytest.mark.parametrize(
    "shape", [(100_003,), (3, 70_001), (70_001, 3), (2000, 50), (50, 2000), (7, 3, 90, 11)], ids=str
)
@pytest.mark.filterwarnings("ignore:overflow:RuntimeWarning")
@pytest.mark.parametrize("dtype", ["float32", "float16", "bfloat16", "int32", "int64"])
def test_long_and_narrow_shapes(shape, dtype):
    x = mx.nd.array(np.random.default_rng(5).integers(0, 3, shape)).astype(dtype)
    wide = x.astype("float64").asnumpy()
    limit = {"float16": 1e-3, "bfloat16": 8e-3}.get(dtype, 1e-6)
    for axis in range(len(shape)):
        for name in ("sum", "max"):
            got = getattr(mx.nd, name)(x, axis=axis).astype("float64").asnumpy()
            want = NUMPY[name](wide, axis=axis)
            want = np.where(want > 65504, np.inf, want) if dtype == "float16" else want
            np.testing.assert_allclose(got, want.reshape(got.shape), rtol=limit)


def test_float32_sums_are_correctly_rounded():
    x = np.random.default_rng(6).uniform(0, 1, 3_000_001).astype(np.float32)
    exact = x.astype(np.float64).sum()
    assert abs(reduce("sum", x)[0] - exact) <= np.spacing(np.float32(exact))
    rows = x[:3_000_000].reshape(3000, 1000)
    np.testing.assert_allclose(
        reduce("sum", rows, axis=0), rows.astype(np.float64).sum(axis=0), rtol=1.2e-7
    )
    np.testing.assert_allclose(
        reduce("sum", rows, axis=1), rows.astype(np.float64).sum(axis=1), rtol=2e-7
    )


@pytest.mark.skipif(native is None, reason="the native extension is absent")
def test_results_do_not_depend_on_the_number_of_threads():
    x = mx.nd.array(np.random.default_rng(7).normal(0, 1, (777, 1311)))
    before = native.num_threads()
    results = []
    try:
        for threads in (1, 2, 3):
            native.set_num_threads(threads)
            results.append([mx.nd.sum(x, axis=a).asnumpy() for a in (None, 0, 1)])
    finally:
        native.set_num_threads(before)
    for other in results[1:]:
        for a, b in zip(results[0], other, strict=True):
            np.testing.assert_array_equal(a, b)


def test_nan_wins_in_extremes_and_is_skipped_by_nansum():
    x = np.ones((3, 100), np.float32)
    x[1, 77] = np.nan
    x[2, 3] = -np.inf
    np.testing.assert_array_equal(reduce("max", x, axis=1), [1, np.nan, 1])
    np.testing.assert_array_equal(reduce("min", x, axis=1), [1, np.nan, -np.inf])
    np.testing.assert_array_equal(reduce("min", x.T.copy(), axis=0), [1, np.nan, -np.inf])
    np.testing.assert_array_equal(reduce("nansum", x, axis=1), [100, 99, -np.inf])
    np.testing.assert_array_equal(reduce("nanprod", np.float32([[np.nan, 3]]), axis=1), [3])


def test_integers_are_reduced_in_their_own_type():
    small = np.array([[1, 2, 3], [100, 100, 101]], np.int8)
    assert reduce("sum", small, axis=1).tolist() == [6, 45]
    assert reduce("prod", small, axis=1).tolist() == [6, 80]
    assert reduce("mean", small, axis=1).tolist() == [2, 15]
    assert reduce("mean", np.array([-1, -2, -2], np.int32)).tolist() == [-1]
    assert reduce("sum", np.array([[0, 0], [0, 1]], bool), axis=1).tolist() == [False, True]


def test_excluded_and_empty_axes():
    x = np.ones((2, 3, 4), np.float32)
    assert reduce("sum", x, axis=0, exclude=True).tolist() == [12, 12]
    assert reduce("sum", x, axis=()).tolist() == [24]
    assert reduce("sum", x, axis=(0, 1, 2), exclude=True).shape == (2, 3, 4)
    with pytest.raises(mx.base.MXNetError, match="sum.*axis 5"):
        reduce("sum", x, axis=5)
    with pytest.raises(mx.base.MXNetError, match="twice"):
        reduce("sum", x, axis=(0, -3))


@pytest.mark.parametrize("name", ["argmax", "argmin"])
@pytest.mark.parametrize("shape", [(5,), (3, 100), (100, 3), (4, 33, 300), (2, 70_001)], ids=str)
def test_positions(name, shape):
    rng = np.random.default_rng(8)
    x = rng.integers(0, 50, shape).astype(np.float32)  # many ties: the first one counts
    for axis in range(len(shape)):
        want = getattr(np, name)(x, axis=axis)
        np.testing.assert_array_equal(reduce(name, x, axis=axis), want.reshape(want.shape or (1,)))
    assert reduce(name, x).tolist() == [getattr(np, name)(x)]
    x[..., shape[-1] // 2] = np.nan
    np.testing.assert_array_equal(reduce(name, x, axis=-1).ravel(), shape[-1] // 2)


def test_positions_have_the_dtype_of_the_data():
    for dtype in ("float16", "float64", "int32"):
        got = reduce("argmax", np.array([[1, 5, 5], [7, 0, 2]], dtype), axis=1)
        assert (got.dtype, got.tolist()) == (np.dtype(dtype), [1, 0])


def test_norms():
    x = np.random.default_rng(9).normal(0, 1, (4, 5, 6)).astype(np.float32)
    np.testing.assert_allclose(reduce("norm", x)[0], np.linalg.norm(x), rtol=1e-6)
    np.testing.assert_allclose(reduce("norm", x, ord=1, axis=2), np.abs(x).sum(axis=2), rtol=1e-6)
    np.testing.assert_allclose(
        reduce("norm", x, axis=(0, 2), keepdims=True),
        np.sqrt((x * x).sum(axis=(0, 2), keepdims=True)),
        rtol=1e-6,
    )
    assert reduce("norm", np.float16([300, 400])).tolist() == [500]
    assert reduce("norm", np.float32([1e30, 1e30]))[0] == pytest.approx(1.4142135e30)
    with pytest.raises(mx.base.MXNetError, match="ord"):
        reduce("norm", x, ord=3)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("name", ["max", "min"])
def test_extremes_and_nan_are_found_at_every_place(name, dtype):
    x = np.random.default_rng(8).uniform(-1, 1, (150, 150)).astype(dtype)
    place = np.arange(150)
    x[place, place] = 2 if name == "max" else -2
    np.testing.assert_array_equal(reduce(name, x, axis=1), x[place, place])
    x[place, (place + 1) % 150] = np.nan
    assert np.isnan(reduce(name, x, axis=1)).all()
    for i in range(140, 150):
        flat = np.full(131 + i, x[0, 0])
        flat[i] = np.nan
        assert np.isnan(reduce(name, flat.astype(dtype))).all()


def test_gradients_at_ties_and_nan():
    for name, values, want in (
        ("max", [1.0, 3.0, 3.0], [0, 1, 1]),
        ("nansum", [1.0, np.nan, 3.0], [1, 0, 1]),
        ("nanprod", [1.0, np.nan, 3.0], [3, 0, 1]),
    ):
        x = mx.nd.array(values)
        x.attach_grad()
        with mx.autograd.record():
            y = getattr(mx.nd, name)(x)
        y.backward()
        np.testing.assert_array_equal(x.grad.asnumpy(), want, err_msg=name)


@pytest.mark.parametrize(
    ("small", "large"),
    [
        ((1,), (7,)),
        ((3, 1), (3, 500)),
        ((1, 3), (500, 3)),
        ((2, 1, 4, 1), (2, 3, 4, 5)),
        ((4,), (3, 4)),
    ],
    ids=str,
)
@pytest.mark.parametrize("dtype", ["float32", "float64", "float16", "uint8", "int64"])
def test_broadcast_and_its_transpose(small, large, dtype):
    x = np.arange(np.prod(small)).reshape(small).astype(dtype)
    data = mx.nd.array(x, dtype=dtype)
    spread = mx.nd.broadcast_to(data, shape=large)
    np.testing.assert_array_equal(spread.asnumpy(), np.broadcast_to(x, large))
    back = get("_unbroadcast")(spread, shape=small).asnumpy()
    times = np.prod(large) // np.prod(small)
    np.testing.assert_array_equal(back, (x * times).astype(dtype))


def test_large_broadcast_streams_past_the_caches():
    row = np.random.default_rng(10).normal(0, 1, (1, 1301)).astype(np.float32)
    got = mx.nd.broadcast_to(mx.nd.array(row), shape=(2000, 1301)).asnumpy()
    np.testing.assert_array_equal(got, np.broadcast_to(row, got.shape))
    got = mx.nd.broadcast_axis(mx.nd.array(row.T), axis=1, size=2000).asnumpy()
    np.testing.assert_array_equal(got, np.broadcast_to(row.T, got.shape))


def test_broadcast_errors_name_shapes():
    with pytest.raises(mx.base.MXNetError, match="broadcast_to"):
        mx.nd.broadcast_to(mx.nd.ones((2, 3)), shape=(2, 4))
    with pytest.raises(mx.base.MXNetError, match="broadcast_axis"):
        mx.nd.broadcast_axis(mx.nd.ones((2, 3)), axis=1, size=4)
