"""Slices and their assignment against NumPy."""

from __future__ import annotations

import numpy as np
import pytest
from both import check, gradient

import baryon as mx
from baryon.base import MXNetError


def random_slices(rng, shape):
    """One (begin, end, step) an axis, any of them None or negative, never an empty slice."""
    found = []
    while len(found) < len(shape):
        size = shape[len(found)]
        begin, end = (int(n) for n in rng.integers(-size - 1, size + 2, 2))
        part = (
            None if rng.random() < 0.3 else begin,
            None if rng.random() < 0.3 else end,
            None if rng.random() < 0.3 else int(rng.choice([1, 2, 3, -1, -2])),
        )
        if len(range(*slice(*part).indices(size))):
            found.append(part)
    return found


@pytest.mark.parametrize("trial", range(30))
def test_slice_and_assignment(trial):
    rng = np.random.default_rng(trial)
    shape = tuple(int(n) for n in rng.integers(1, 13, rng.integers(1, 5)))
    x = rng.normal(size=shape).astype(rng.choice(["float32", "float64", "float16", "int8"]))
    parts = random_slices(rng, shape[: rng.integers(1, len(shape) + 1)])
    index = tuple(slice(*p) for p in parts)
    begin, end, step = zip(*parts, strict=True)
    box = {"begin": begin, "end": end, "step": step}
    check("slice", x, **box, want=x[index])

    values = np.ascontiguousarray(x[index] + 1)
    want = x.copy()
    want[index] = values
    check("_slice_assign", x, values, **box, want=want)
    want[index] = 3
    check("_slice_assign_scalar", x, scalar=3, **box, want=want)
    want = np.zeros_like(x)
    want[index] = values
    check("_backward_slice", values, shape=shape, **box, want=want)


def test_slice_gradient_is_placed_where_it_was_read():
    x = np.zeros((4, 6), np.float32)
    want = np.zeros_like(x)
    want[0:4:2, 5:0:-2] = 1
    box = {"begin": (0, 5), "end": (4, 0), "step": (2, -2)}
    np.testing.assert_array_equal(gradient("slice", [x], 0, np.ones((2, 3)), **box), want)


def test_slice_axis_and_slice_like():
    x = np.arange(24, dtype=np.float32).reshape(2, 3, 4)
    check("slice_axis", x, axis=-1, begin=-3, end=-1, want=x[..., 1:3])
    check("slice_like", x, np.zeros((1, 2, 3), np.float32), want=x[:1, :2, :3])
    check("slice_like", x, np.zeros((9, 2), np.float32), axes=(1,), want=x[:, :2])


@pytest.mark.parametrize(("begin", "end"), [(0, 9), (-9, 2), (2, 2), (3, None)])
def test_slice_axis_refuses_what_is_no_range(begin, end):
    with pytest.raises(MXNetError, match="slice_axis.*range of axis 1 of size 3"):
        mx.nd.slice_axis(mx.nd.zeros((2, 3)), axis=1, begin=begin, end=end)


def test_slice_refuses_mismatched_boxes():
    x = mx.nd.zeros((2, 3))
    for box in [((0,), (1, 2), ()), ((0,) * 3, (1,) * 3, ()), ((0,), (1,), (0,))]:
        with pytest.raises(MXNetError, match="operator slice"):
            mx.nd.slice(x, begin=box[0], end=box[1], step=box[2])
