"""Sequence operators against loops over the batch."""

from __future__ import annotations

import numpy as np
import pytest
from both import check

import baryon as mx
from baryon.base import MXNetError

LENGTHS = [2, 5, 1, 0, 9]  # of five steps: one sequence is empty, one claims too many


def batch(axis, dtype, rest=(3,)):
    shape = (5, 5, *rest)
    data = np.arange(np.prod(shape)).reshape(shape).astype(mx.dtypes.as_dtype(dtype))
    return data, np.array(LENGTHS)


def by_sequence(data, axis):
    """Views (time, ...) of each sequence."""
    return [data[:, b] if axis == 0 else data[b] for b in range(5)]


@pytest.mark.parametrize("kind", ["float32", "int32", "uint8", "float64"])
@pytest.mark.parametrize("dtype", ["float32", "float16", "int64", "bfloat16"])
@pytest.mark.parametrize("axis", [0, 1])
def test_mask_reverse_and_last(axis, dtype, kind):
    for rest in [(3,), (), (2, 20)]:
        data, lengths = batch(axis, dtype, rest)
        masked, turned, last = data.copy(), data.copy(), []
        for n, m, t, d in zip(
            LENGTHS, by_sequence(masked, axis), by_sequence(turned, axis), by_sequence(data, axis),
            strict=True,
        ):  # fmt: skip
            m[n:] = -1
            t[:n] = d[:n][::-1]
            last.append(d[min(max(n, 1), 5) - 1])
        use = {"use_sequence_length": True, "axis": axis}
        lengths = lengths.astype(kind)
        check("SequenceMask", data, lengths, value=-1, **use, want=masked)
        check("SequenceReverse", data, lengths, **use, want=turned)
        got = check("SequenceLast", data, lengths, **use, want=np.stack(last))
        back = check("_backward_SequenceLast", got, lengths, shape=data.shape, **use)
        assert np.count_nonzero(back.reshape(25, -1).any(1)) <= 5
        np.testing.assert_array_equal(back.sum(dtype=np.float64), got.sum(dtype=np.float64))


def test_without_lengths_all_steps_count():
    data, _ = batch(0, "float32")
    check("SequenceMask", data, value=-1, want=data)
    check("SequenceReverse", data, want=data[::-1])
    check("SequenceLast", data, want=data[-1])


def test_fractional_lengths_keep_the_step_they_reach_into():
    data = np.ones((3, 2), np.float32)
    lengths = np.array([1.5, 2], np.float32)
    check("SequenceMask", data, lengths, use_sequence_length=True, want=[[1, 1], [1, 1], [0, 0]])


def test_refusals():
    with pytest.raises(MXNetError, match="SequenceMask.*axis is 2"):
        mx.nd.SequenceMask(mx.nd.zeros((2, 3)), axis=2)
    with pytest.raises(MXNetError, match="SequenceLast.*no time and batch"):
        mx.nd.SequenceLast(mx.nd.zeros((2,)))
    with pytest.raises(MXNetError, match="SequenceMask"):
        mx.nd.SequenceMask(mx.nd.zeros((2, 3)), mx.nd.zeros((4,)), use_sequence_length=True)
