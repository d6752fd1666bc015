"""Conversions between dtypes, against NumPy and against what MXNet gives on x86-64."""

from __future__ import annotations

import numpy as np
import pytest

import baryon as mx
from baryon.dtypes import DTYPES


def cast(values: np.ndarray, dtype: str) -> np.ndarray:
    return mx.nd.cast(mx.nd.array(values, dtype=values.dtype), dtype=dtype).asnumpy()


@pytest.mark.parametrize("target", DTYPES)
@pytest.mark.parametrize("source", DTYPES)
def test_every_pair_on_values_that_both_hold(source, target):
    x = (np.arange(5003) % 100).astype(DTYPES[source])
    got = cast(x, target)
    assert got.dtype == DTYPES[target]
    want = x.astype(np.float64).astype(DTYPES[target])
    np.testing.assert_array_equal(got.astype(np.float64), want.astype(np.float64))


@pytest.mark.parametrize(
    ("dtype", "want"),
    [
        ("int32", [0, 0, -1, 1, 300, -300]),
        ("uint8", [0, 0, 255, 1, 44, 212]),
        ("int8", [0, 0, -1, 1, 44, -44]),
        ("bool", [True] * 6),
    ],
)
def test_floats_are_cut_towards_zero_and_wrap(dtype, want):
    x = np.array([0.5, -0.5, -1.7, 1.7, 300, -300], np.float32)
    assert cast(x, dtype).tolist() == want


def test_numbers_out_of_range_give_the_smallest_integer():
    x = np.array([np.nan, np.inf, -np.inf, 1e20], np.float32)
    assert cast(x, "int32").tolist() == [-(2**31)] * 4
    assert cast(x, "int64").tolist() == [-(2**63)] * 4
    assert cast(x, "uint8").tolist() == [0] * 4


def test_integers_wrap():
    assert cast(np.array([2**31 + 5, -1], np.int64), "int32").tolist() == [5 - 2**31, -1]
    assert cast(np.array([-1, 256], np.int32), "uint8").tolist() == [255, 0]


def test_gradient_returns_to_the_inputs_dtype():
    x = mx.nd.array([1.0, 2.0])
    x.attach_grad()
    with mx.autograd.record():
        y = mx.nd.cast(x, dtype="float64") * 3
    y.backward()
    assert x.grad.dtype == np.float32
    assert x.grad.asnumpy().tolist() == [3, 3]


def test_mixed_precision_casts_only_the_smaller_floats():
    half, single, double, whole = (
        mx.nd.ones(2, dtype=d) for d in ("float16", "float32", "float64", "int32")
    )
    found = mx.nd.amp_multicast(half, single, double, whole, num_outputs=4)
    assert [np.dtype(f.dtype).name for f in found] == ["float32", "float32", "float64", "int32"]
    narrow = mx.nd.amp_multicast(half, single, num_outputs=2, cast_narrow=True)
    assert [np.dtype(f.dtype).name for f in narrow] == ["float16", "float16"]
    assert mx.nd.amp_cast(whole, dtype="float16").dtype == np.int32
    assert mx.nd.amp_cast(single, dtype="float16").dtype == np.float16
