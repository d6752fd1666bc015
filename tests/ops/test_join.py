"""Concatenation, stacking and splitting against NumPy."""

from __future__ import annotations

import numpy as np
import pytest
from both import body, check, gradient, kernel

import baryon as mx
from baryon.base import MXNetError
from baryon.ops import get


@pytest.mark.parametrize("trial", range(20))
def test_concat_and_stack(trial):
    rng = np.random.default_rng(trial)
    shape = [int(n) for n in rng.integers(1, 8, rng.integers(1, 5))]
    axis = int(rng.integers(-len(shape), len(shape)))
    dtype = rng.choice(["float32", "float64", "float16", "int8"])
    parts = []
    for size in rng.integers(0, 5, rng.integers(1, 5)):
        shape[axis] = int(size)
        parts.append((rng.normal(size=shape) * 9).astype(dtype))
    check("Concat", *parts, dim=axis, want=np.concatenate(parts, axis))
    parts = [parts[0]] * 3
    axis = int(rng.integers(-len(shape) - 1, len(shape) + 1))
    check("stack", *parts, axis=axis, want=np.stack(parts, axis))


def test_large_concat_is_whole():
    parts = [np.full((3, n, 700), n, np.float32) for n in (100, 1, 57)]
    check("Concat", *parts, want=np.concatenate(parts, 1))
    check("Concat", *parts[:1] * 4, dim=0, want=np.concatenate(parts[:1] * 4, 0))


@pytest.mark.parametrize(
    ("op", "attrs", "cuts", "axis"),
    [
        ("SliceChannel", {"num_outputs": 3, "axis": 1}, 3, 1),
        ("SliceChannel", {"num_outputs": 2, "axis": -1}, 2, 2),
        ("_split_v2", {"indices": (), "sections": 4, "axis": 0}, 4, 0),
        ("_split_v2", {"indices": (0, 2, 3), "axis": 1}, [2, 3], 1),
    ],
)
def test_split(op, attrs, cuts, axis):
    x = np.arange(4 * 6 * 8, dtype=np.float32).reshape(4, 6, 8)
    for run in (kernel, body):
        for got, want in zip(run(op, x, **attrs), np.split(x, cuts, axis), strict=True):
            np.testing.assert_array_equal(got, want)


def test_gradients_go_back_to_their_parts():
    head = np.arange(12, dtype=np.float32).reshape(2, 6)
    a, b = np.zeros((2, 2), np.float32), np.zeros((2, 4), np.float32)
    np.testing.assert_array_equal(gradient("Concat", [a, b], 1, head), head[:, 2:])
    x = np.zeros((2, 6), np.float32)
    got = gradient("_split_v2", [x], 0, np.ones((2, 3)), indices=(1, 4), axis=1)
    np.testing.assert_array_equal(got, [[0, 1, 1, 1, 0, 0]] * 2)


def test_shapes_complete_both_ways():
    concat = get("Concat")
    attrs = concat.attributes({"num_args": 2, "dim": 1})
    ins, outs = concat.infer_shapes(attrs, [(-1, 3), (2, -1)], [(2, 8)])
    assert (ins, outs) == ([(2, 3), (2, 5)], [(2, 8)])
    split = get("SliceChannel")
    attrs = split.attributes({"num_outputs": 2, "axis": 1})
    ins, outs = split.infer_shapes(attrs, [(-1, -1)], [(2, 3), None])
    assert (ins, outs) == ([(2, 6)], [(2, 3), (2, 3)])
    stack = get("stack")
    attrs = stack.attributes({"num_args": 2})
    assert stack.infer_shapes(attrs, [None, None], [(2, 3)])[0] == [(3,), (3,)]


def test_refusals_name_the_operator():
    x = mx.nd.zeros((2, 3))
    with pytest.raises(MXNetError, match="Concat.*differ"):
        mx.nd.concat(x, mx.nd.zeros((3, 3)), dim=1)
    with pytest.raises(MXNetError, match="SliceChannel.*size 3 does not split into 2"):
        mx.nd.split(x, num_outputs=2)
    with pytest.raises(MXNetError, match="SliceChannel.*squeeze_axis"):
        mx.nd.split(mx.nd.zeros((2, 4)), num_outputs=2, squeeze_axis=True)
