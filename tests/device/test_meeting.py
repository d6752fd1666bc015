"""Gradients that add up in one place are the same in any order, and right in all their digits."""

from __future__ import annotations

import numpy as np
import pytest
from contract import Call
from cuda_emulator import compiler
from test_kernels import launched

from baryon import dtypes
from baryon.ops import get
from baryon.ops.samples import Sample

pytestmark = pytest.mark.skipif(compiler is None, reason="g++ is not installed")
RNG = np.random.default_rng(3)


def added(dy, indices, rows=7):
    op = get("_backward_take")
    attrs = {"shape": (rows, dy.shape[1]), "axis": 0, "mode": "clip"}
    arrays = [dy, indices.astype(np.int32)]
    return launched(Call(op, Sample({}, attrs), "", arrays, op.attributes(attrs))).get()


@pytest.mark.parametrize("dtype", ["float16", "bfloat16", "float32", "float64"])
def test_no_order_changes_a_sum(dtype):
    dy = RNG.normal(size=(3000, 5)) * 10.0 ** RNG.integers(-6, 4, (3000, 1))
    dy, indices = dy.astype(dtypes.as_dtype(dtype)), RNG.integers(0, 7, 3000)
    want = np.zeros((7, 5))
    np.add.at(want, indices, dy.astype(np.float64))
    found = added(dy, indices)
    assert found.dtype == dy.dtype
    rtol = {"float16": 5e-4, "bfloat16": 4e-3, "float32": 6e-8, "float64": 1e-12}[dtype]
    np.testing.assert_allclose(found.astype(np.float64), want, rtol=rtol, atol=1e-12)
    for _ in range(3):
        order = RNG.permutation(3000)
        np.testing.assert_array_equal(added(dy[order], indices[order]), found)


def test_extremes():
    dy = np.zeros((6, 2), np.float32)
    dy[:, 0] = 1e-42, np.inf, 3.4e38, 1.5, np.nan, -1e-30
    dy[:, 1] = 1e-42, 1.25, -3.4e38, 2.5, 1, 0
    found = added(dy, np.array([0, 1, 2, 3, 4, 5]), rows=8)
    np.testing.assert_array_equal(found[:6], dy)
    np.testing.assert_array_equal(found[6:], 0)
    huge = np.full((3, 1), 3e38, np.float32)
    assert added(huge, np.zeros(3))[0, 0] == np.inf
