"""Reading, adding and choosing by index against NumPy, out-of-range indices included."""

from __future__ import annotations

import numpy as np
import pytest
from both import body, check, gradient, kernel

import baryon as mx
from baryon.base import MXNetError
from baryon.native import native

INDEX_TYPES = ["float32", "float64", "int32", "int64", "int8", "uint8"]


@pytest.mark.parametrize("index", INDEX_TYPES)
@pytest.mark.parametrize("data", ["float32", "float64", "float16", "bfloat16", "int8", "int64"])
def test_take_of_every_type(data, index):
    rng = np.random.default_rng(0)
    x = (rng.normal(size=(3, 7, 5)) * 9).astype(mx.dtypes.as_dtype(data))
    at = rng.integers(0 if index == "uint8" else -9, 20, (2, 4)).astype(index)
    clipped, wrapped = np.clip(at.astype(int), 0, 6), at.astype(int) % 7
    check("take", x, at, axis=1, want=x[:, clipped])
    check("take", x, at, axis=1, mode="wrap", want=x[:, wrapped])
    weight = np.ascontiguousarray(x[0])
    check("Embedding", at, weight, input_dim=7, output_dim=5, want=weight[clipped])


def test_float_indices_are_cut_and_nan_is_the_first():
    x = np.arange(4, dtype=np.float32)
    at = np.array([1.9, -1.5, np.nan, np.inf, -np.inf, 1e30], np.float32)
    check("take", x, at, want=x[[1, 0, 0, 3, 0, 3]])


def test_take_raises_on_request():
    x = mx.nd.arange(4)
    for wrong in (-1, 4):
        with pytest.raises(MXNetError, match=f"take: index {wrong} is out of range for size 4"):
            mx.nd.take(x, mx.nd.array([0, wrong]), mode="raise")


@pytest.mark.parametrize("dtype", ["float32", "float64", "float16", "bfloat16"])
def test_repeated_indices_add_up(dtype):
    rng = np.random.default_rng(1)
    dtype = mx.dtypes.as_dtype(dtype)
    dy = rng.integers(-4, 5, (2, 300, 3)).astype(dtype)
    at = rng.integers(0, 9, 300)
    want = np.zeros((2, 11, 3))
    np.add.at(want, (slice(None), at), dy.astype(np.float64))
    check("_backward_take", dy, at, shape=(2, 11, 3), axis=1, want=want.astype(dtype))


@pytest.mark.skipif(native is None, reason="the native extension is absent")
def test_sums_do_not_depend_on_the_number_of_threads():
    rng = np.random.default_rng(2)
    dy = rng.normal(size=(50000, 16)).astype(np.float32)
    at = rng.integers(0, 40, 50000).astype(np.int32)
    before, found = native.num_threads(), []
    try:
        for threads in (1, 2, 3, 8):
            native.set_num_threads(threads)
            found.append(kernel("_backward_take", dy, at, shape=(64, 16))[0])
    finally:
        native.set_num_threads(before)
    assert all(np.array_equal(f, found[0]) for f in found)


@pytest.mark.parametrize("index", INDEX_TYPES)
def test_pick(index):
    rng = np.random.default_rng(3)
    x = rng.normal(size=(3, 4, 5)).astype(np.float32)
    for axis in (0, 1, -1):
        kept = np.delete(np.array(x.shape), axis)
        at = rng.integers(0 if index == "uint8" else -3, 9, kept).astype(index)
        for mode, inside in (("clip", np.clip), ("wrap", lambda i, _, n: i % (n + 1))):
            found = inside(at.astype(int), 0, x.shape[axis] - 1)
            want = np.take_along_axis(x, np.expand_dims(found, axis), axis)
            check("pick", x, at, axis=axis, mode=mode, keepdims=True, want=want)
            back = np.zeros_like(x)
            np.put_along_axis(back, np.expand_dims(found, axis), want, axis)
            check("_backward_pick", want, at, shape=x.shape, axis=axis, mode=mode, want=back)
    with pytest.raises(MXNetError, match="pick.*axis"):
        mx.nd.pick(mx.nd.zeros((2, 3)), mx.nd.zeros((2,)), axis=None)
    with pytest.raises(MXNetError, match="pick.*index has shape"):
        mx.nd.pick(mx.nd.zeros((2, 3)), mx.nd.zeros((3,)))


@pytest.mark.parametrize("index", INDEX_TYPES)
@pytest.mark.parametrize("dtype", ["float32", "float16", "int8", "int64", "bfloat16"])
def test_one_hot(dtype, index):
    at = np.array([[0, 2], [5, 3], [1, 100]]).astype(index)
    want = np.where(at[..., None].astype(int) == np.arange(4), 7, -1)
    check("one_hot", at, depth=4, on_value=7, off_value=-1, dtype=dtype,
          want=want.astype(mx.dtypes.as_dtype(dtype)))  # fmt: skip


@pytest.mark.parametrize("dtype", ["float32", "float64", "float16", "int32", "uint8", "bool"])
def test_where_takes_any_condition(dtype):
    condition = np.array([[0, 1, 2], [-0.0, 0, 1]]).astype(dtype)
    if dtype == "float32":
        condition[0, 1] = np.nan
    x, y = np.arange(6, dtype=np.float32).reshape(2, 3), np.full((2, 3), np.inf, np.float32)
    check("where", condition, x, y, want=np.where(condition != 0, x, y))
    check("where", condition[0, :2].copy(), x, y, want=[y[0], x[1]])
    got = gradient("where", [condition, x, y], 2, np.ones((2, 3)))
    np.testing.assert_array_equal(got, condition == 0)


def test_where_gradient_ignores_what_was_not_chosen():
    dy = np.array([np.nan, 1], np.float32)
    check("_backward_where", np.array([0, 1], np.float32), dy, branch=True, want=[0, 1])


# ---- coordinates ---------------------------------------------------------------------------------


def test_gather_nd_and_its_sum():
    rng = np.random.default_rng(4)
    x = rng.integers(-9, 9, (3, 4, 5)).astype(np.float32)
    for depth in (1, 2, 3):
        at = np.stack([rng.integers(-n, n, (2, 50)) for n in x.shape[:depth]])
        check("gather_nd", x, at, want=x[tuple(at)])
        dy = rng.integers(-9, 9, (2, 50, *x.shape[depth:])).astype(np.float32)
        want = np.zeros_like(x)
        np.add.at(want, tuple(at), dy)
        check("_backward_gather_nd", dy, at, shape=x.shape, want=want)


def test_coordinates_outside_raise_the_same_error_everywhere():
    x = np.zeros((2, 3), np.float32)
    at = np.array([[0, 1], [0, -4]])
    for run in (kernel, body):
        for name, arrays, attrs in [
            ("gather_nd", (x, at), {}),
            ("scatter_nd", (x[0, :2].copy(), at), {"shape": (2, 3)}),
            ("_backward_gather_nd", (x[0, :2].copy(), at), {"shape": (2, 3)}),
        ]:
            with pytest.raises(IndexError, match="index -4 is out of bounds for axis 1"):
                run(name, *arrays, **attrs)
    with pytest.raises(IndexError, match="index -4"):
        mx.nd.gather_nd(mx.nd.array(x), mx.nd.array(at))


def test_the_last_of_repeated_writes_stays():
    at = np.array([[0, 2, 0]])
    check("scatter_nd", np.array([1, 2, 3], np.float32), at, shape=(4,), want=[3, 0, 2, 0])
    base = np.full(4, 9, np.float32)
    values = np.array([1, 2, 3], np.float32)
    check("_scatter_set_nd", base, values, at, shape=(4,), want=[3, 9, 2, 9])


def test_numbers_of_coordinates():
    at = np.array([[3, 6, 6], [4, 5, 1]])
    flat = np.ravel_multi_index(tuple(at), (7, 6))
    np.testing.assert_array_equal(body("_ravel_multi_index", at, shape=(7, 6))[0], flat)
    np.testing.assert_array_equal(body("_ravel_multi_index", at, shape=(-1, 6))[0], flat)
    np.testing.assert_array_equal(body("_unravel_index", flat, shape=(7, 6))[0], at)
