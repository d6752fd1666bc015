"""Sorting against NumPy: ties, NaN, every axis and type."""

from __future__ import annotations

import numpy as np
import pytest
from both import check, gradient

import baryon as mx
from baryon.base import MXNetError


def order(x, axis, ascending):
    """Stable order with NaN as the largest."""
    if ascending:
        return np.argsort(x, axis, kind="stable")
    back = np.argsort(np.flip(x, axis), axis, kind="stable")
    return x.shape[axis] - 1 - np.flip(back, axis)


@pytest.mark.parametrize("dtype", ["float32", "float64", "int32", "int64", "int8", "uint8"])
@pytest.mark.parametrize("ascending", [True, False])
def test_sort_argsort_topk(ascending, dtype):
    rng = np.random.default_rng(0)
    for shape in [(40,), (3, 200), (2, 30, 4)]:
        x = rng.integers(0, 12, shape).astype(dtype)
        for axis in range(-1, len(shape) - 1):
            want = order(x, axis, ascending)
            ranked = np.take_along_axis(x, want, axis)
            check("argsort", x, axis=axis, is_ascend=ascending, dtype="int32", want=want)
            check("sort", x, axis=axis, is_ascend=ascending, want=ranked)
            for k in (1, 2, x.shape[axis] // 2 + 1, x.shape[axis]):
                few, attrs = np.arange(k), {"axis": axis, "k": k, "is_ascend": ascending}
                check("topk", x, **attrs, want=want.take(few, axis))
                check("topk", x, **attrs, ret_typ="value", want=ranked.take(few, axis))
                check("topk", x, **attrs, ret_typ="both", dtype="int64")
                mask = np.zeros_like(x)
                np.put_along_axis(mask, want.take(few, axis), 1, axis)
                check("topk", x, **attrs, ret_typ="mask", want=mask)


def test_nan_is_the_largest():
    x = np.array([1, np.nan, -np.inf, np.inf, np.nan, 2], np.float32)
    check("argsort", x, want=[2, 0, 5, 3, 1, 4])
    check("argsort", x, is_ascend=False, want=[1, 4, 3, 5, 0, 2])
    check("topk", x, k=3, ret_typ="indices", want=[1, 4, 3])


def test_without_an_axis_all_elements_are_ranked():
    x = np.array([[3, 1], [2, 4]], np.float32)
    check("sort", x, axis=None, want=[1, 2, 3, 4])
    check("topk", x, axis=None, k=2, want=[3, 0])
    check("topk", x, axis=None, k=2, ret_typ="mask", want=[[1, 0], [0, 1]])


def test_gradients_return_to_the_chosen_elements():
    x = np.array([[3, 1, 2], [5, 6, 4]], np.float32)
    head = np.array([[1, 2], [3, 4]], np.float32)
    got = gradient("topk", [x], 0, head, k=2, ret_typ="value")
    np.testing.assert_array_equal(got, [[1, 0, 2], [4, 3, 0]])
    got = gradient("sort", [x], 0, np.arange(6), axis=None)
    np.testing.assert_array_equal(got, [[2, 0, 1], [4, 5, 3]])


def test_too_large_a_k_is_refused():
    with pytest.raises(MXNetError, match="topk.*k is 5, but there are 3"):
        mx.nd.topk(mx.nd.zeros((2, 3)), k=5)


def test_positions_have_a_gradient_of_zero():
    x = np.array([[3, 1, 2], [5, 6, 4]], np.float32)
    for name, attrs in {
        "argsort": {"axis": 1},
        "topk": {"axis": 1},
        "argmax": {"axis": 1},
        "one_hot": {"depth": 3},
        "_ravel_multi_index": {"shape": (7, 7)},
        "_unravel_index": {"shape": (7, 7)},
    }.items():
        data = mx.nd.array(x)
        data.attach_grad()
        with mx.autograd.record():
            found = mx.ops.get(name)(data, **attrs)
        found.backward()
        np.testing.assert_array_equal(data.grad.asnumpy(), np.zeros_like(x))
