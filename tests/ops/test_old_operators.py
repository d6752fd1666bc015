"""Operators that only old programs know: histogram, samples of Zipf's law, values into ``out``."""

from __future__ import annotations

import numpy as np
import pytest

import baryon as mx

INTERNAL = mx.nd._internal


def test_histogram_as_mxnet_counts():
    x = mx.nd.array([1, 2, 2.5, 4, 9, -1])
    counts, edges = mx.nd.histogram(x, bins=3, range=(0, 4))
    assert counts.dtype == np.int64
    assert counts.asnumpy().tolist() == [1, 2, 1]
    np.testing.assert_allclose(edges.asnumpy(), np.linspace(0, 4, 4), rtol=1e-6)
    counts, edges = mx.nd.histogram(x, bins=mx.nd.array([0, 2, 4]))
    assert counts.asnumpy().tolist() == [1, 3]
    with pytest.raises(mx.MXNetError, match="_histogram: .*range"):
        INTERNAL._histogram(x, bin_cnt=3)
    with pytest.raises(mx.MXNetError, match="_histogram: .*edges"):
        INTERNAL._histogram(x, mx.nd.array([1]))


@pytest.mark.parametrize(
    ("low", "high", "counts", "edges"),
    [
        (0, 10, [3, 3, 5], [0, 3, 6, 10]),
        (1, 9, [2, 3, 4], [1, 3, 6, 9]),
        (0.5, 9.5, [2, 3, 4], [0, 3, 6, 9]),
    ],
)
@pytest.mark.parametrize("dtype", ["int32", "uint8"])
def test_histogram_of_integers_has_integer_edges_as_in_mxnet(dtype, low, high, counts, edges):
    x = mx.nd.arange(12, dtype=dtype)
    got = INTERNAL._histogram(x, bin_cnt=3, range=(low, high))
    assert [g.asnumpy().tolist() for g in got] == [counts, edges]
    assert got[1].dtype == np.dtype(dtype)


def test_distinct_samples():
    mx.random.seed(4)
    drawn, tries = INTERNAL._sample_unique_zipfian(50, shape=(200, 5))
    values = drawn.asnumpy()
    assert all(len(set(row)) == 5 for row in values)
    assert values.min() >= 0
    assert values.max() < 50
    assert (tries.asnumpy() >= 5).all()
    first = np.bincount(values[:, 0], minlength=50) / 200
    assert first[0] == pytest.approx(np.log(2) / np.log(51), abs=0.08)
    with pytest.raises(mx.MXNetError, match="no 8 distinct"):
        INTERNAL._sample_unique_zipfian(5, shape=(1, 8))
    with pytest.raises(mx.MXNetError, match="two dimensions"):
        INTERNAL._sample_unique_zipfian(5, shape=(3,))


def test_values_into_out():
    x = mx.nd.zeros((2, 3))
    assert INTERNAL._set_value(2.5, out=x) is x
    assert (x.asnumpy() == 2.5).all()
    with pytest.raises(mx.MXNetError, match="_set_value"):
        INTERNAL._set_value(2.5)
    ints = mx.nd.ones(2, dtype="int32")
    INTERNAL._zeros_without_dtype(shape=(2,), out=ints)
    assert ints.asnumpy().tolist() == [0, 0]
    with pytest.raises(mx.MXNetError, match="_zeros_without_dtype: .*data type"):
        INTERNAL._zeros_without_dtype(shape=(2,))


def test_one_element_of_each_row():
    x = mx.nd.array([[1, 2], [3, 4]])
    filled = mx.nd.fill_element_0index(x, mx.nd.array([9, 8]), mx.nd.array([1, 5]))
    assert filled.asnumpy().tolist() == [[1, 9], [3, 4]]
    hot = INTERNAL._onehot_encode(mx.nd.array([1, 7]), mx.nd.zeros((2, 3)))
    assert hot.asnumpy().tolist() == [[0, 1, 0], [0, 0, 0]]
