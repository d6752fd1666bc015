"""Reshaping, permutations, repetition, padding and blocks against NumPy and MXNet's rules."""

from __future__ import annotations

import numpy as np
import pytest
from both import check, gradient

import baryon as mx
from baryon.base import MXNetError
from baryon.ops import get

RNG = np.random.default_rng(0)


def shape_of(op, ins, outs=(None,), **attrs):
    attrs = get(op).attributes(attrs)
    return get(op).infer_shapes(attrs, list(ins), list(outs))


# Codes, input shape, reverse, and the shape that MXNet 1.9.1 gives.
CODES = [
    ((4, 0, 2), (2, 3, 4), False, (4, 3, 2)),
    ((-1,), (2, 3, 4), False, (24,)),
    ((3, -1, 8), (2, 3, 4), False, (3, 1, 8)),
    ((-2, 1, 1), (2, 3, 4), False, (2, 3, 4, 1, 1)),
    ((0, -3), (2, 3, 4), False, (2, 12)),
    ((-3, -3), (2, 3, 4, 5), False, (6, 20)),
    ((-4, 1, 2, -2), (2, 3, 4), False, (1, 2, 3, 4)),
    ((2, -4, -1, 3, -2), (2, 3, 4), False, (2, 1, 3, 4)),
    ((-1, 0), (10, 5, 4), True, (50, 4)),
    ((0, -1), (2, 3, 4), True, (3, 8)),
    ((0, 0, -3), (2, 3, 5, 5), True, (2, 3, 25)),
]


@pytest.mark.parametrize(("codes", "shape", "reverse", "want"), CODES)
def test_reshape_codes(codes, shape, reverse, want):
    x = mx.nd.array(np.arange(np.prod(shape)).reshape(shape))
    got = mx.nd.reshape(x, shape=codes, reverse=reverse)
    assert got.shape == want
    np.testing.assert_array_equal(got.asnumpy().ravel(), x.asnumpy().ravel())


@pytest.mark.parametrize(
    ("codes", "message"),
    [
        ((-1, -1), "at most one"),
        ((5, 5), "cannot reshape"),
        ((-4, 2), "two dimensions"),
        ((-4, -1, -1), "cannot split"),
        ((-4, 5, 2), "cannot split 2"),
        ((0, 0, 0, 0), "copy more"),
        ((-7,), "unknown shape code"),
        ((), "empty"),
    ],
)
def test_reshape_refuses(codes, message):
    with pytest.raises(MXNetError, match=f"Reshape.*{message}"):
        get("Reshape").infer(get("Reshape").attributes({"shape": codes}), _specs((2, 3, 4)))


def _specs(*shapes):
    from baryon.ops import Spec

    return tuple(Spec(s, np.dtype("float32")) for s in shapes)


def test_reshape_passes_unknown_dimensions_on_and_fills_them():
    assert shape_of("Reshape", [(-1, 3, 4)], shape=(0, -1)) == ([(-1, 3, 4)], [(-1, -1)])
    assert shape_of("Reshape", [(-1, 3, 4)], shape=(-3, 0)) == ([(-1, 3, 4)], [(-1, 4)])
    ins, outs = shape_of("Reshape", [(-1, 3, 4)], [(2, 12)], shape=(0, -1))
    assert (ins, outs) == ([(2, 3, 4)], [(2, 12)])


@pytest.mark.parametrize(
    ("op", "data", "out", "attrs"),
    [
        ("transpose", (2, -1, 4), (4, 3, 2), {}),
        ("SwapAxis", (2, -1, 4), (2, 4, 3), {"dim1": 1, "dim2": 2}),
        ("expand_dims", (2, -1, 4), (2, 1, 3, 4), {"axis": 1}),
        ("Flatten", (-1, 3, 4), (2, 12), {}),
    ],
)
def test_shapes_complete_both_ways(op, data, out, attrs):
    ins, outs = shape_of(op, [data], [out], **attrs)
    assert ins == [tuple({0: 2, 1: 3, 2: 4}[i] for i in range(3))]
    assert outs == [out]
    if op != "Flatten":
        assert shape_of(op, [None], [out], **attrs)[0] in ([(2, 3, 4)], [None])


@pytest.mark.parametrize("dtype", ["float32", "float64", "float16", "int8", "bfloat16", "bool"])
def test_transpose_of_every_element_size(dtype):
    for shape in [(5,), (37, 41), (9, 33, 17), (3, 70, 3), (2, 3, 20, 24), (4, 0, 3)]:
        x = RNG.integers(0, 2, shape).astype(mx.dtypes.as_dtype(dtype))
        for _ in range(3):
            axes = tuple(int(a) for a in RNG.permutation(len(shape)))
            check("transpose", x, axes=axes, want=x.transpose(axes))


LARGE = [(1024, 1040), (1023, 1033), (16, 70000), (70000, 16)]


@pytest.mark.parametrize(("rows", "columns"), LARGE)
def test_transpose_of_large_arrays(rows, columns):
    for dtype in ("float32", "uint8", "float64"):
        x = np.arange(rows * columns).reshape(rows, columns).astype(dtype)
        check("transpose", x, want=x.T)
    x = np.arange(rows * columns, dtype=np.float32).reshape(rows, -1, 1)
    check("SwapAxis", x, dim1=0, dim2=1, want=x.swapaxes(0, 1))


def test_transpose_refuses_wrong_axes():
    for axes in [(0, 0), (0,), (0, 2)]:
        with pytest.raises(MXNetError, match="transpose"):
            mx.nd.transpose(mx.nd.zeros((2, 3)), axes=axes)


@pytest.mark.parametrize("trial", range(20))
def test_repetition_and_padding_against_numpy(trial):
    rng = np.random.default_rng(trial)
    shape = tuple(int(n) for n in rng.integers(1, 9, rng.integers(1, 5)))
    x = rng.normal(size=shape).astype(rng.choice(["float32", "float64", "float16", "uint8"]))
    axis = int(rng.integers(len(shape)))
    reps = tuple(int(n) for n in rng.integers(1, 4, rng.integers(1, 5)))
    check("tile", x, reps=reps, want=np.tile(x, reps))
    check("repeat", x, repeats=3, axis=axis, want=np.repeat(x, 3, axis))
    check("repeat", x, repeats=2, want=np.repeat(x, 2))
    check("reverse", x, axis=(axis,), want=np.flip(x, axis))
    pairs = [tuple(int(n) for n in rng.integers(0, d, 2)) for d in shape]
    width = [n for pair in pairs for n in pair]
    for mode in ("edge", "reflect"):
        check("Pad", x, mode=mode, pad_width=width, want=np.pad(x, pairs, mode))
    want = np.pad(x, pairs, constant_values=3)
    check("Pad", x, mode="constant", constant_value=3, pad_width=width, want=want)


@pytest.mark.parametrize("mode", ["edge", "reflect"])
def test_pad_gradient_counts_the_copies(mode):
    x = np.zeros((2, 3, 5, 4), np.float32)
    width = (0, 0, 1, 2, 3, 1, 2, 3)
    padded = np.pad(np.arange(x.size).reshape(x.shape), np.reshape(width, (4, 2)), mode)
    head = RNG.integers(0, 9, padded.shape).astype(np.float32)
    want = np.bincount(padded.ravel(), head.ravel()).reshape(x.shape)
    np.testing.assert_array_equal(gradient("Pad", [x], 0, head, mode=mode, pad_width=width), want)


def test_blocks_are_each_others_inverse():
    x = RNG.normal(size=(2, 3, 4, 6)).astype(np.float32)
    deep = check("space_to_depth", x, block_size=2)
    assert deep.shape == (2, 12, 2, 3)
    check("depth_to_space", deep, block_size=2, want=x)


def test_diag_of_stacked_matrices():
    x = RNG.normal(size=(2, 3, 4, 5)).astype(np.float32)
    for k, one, two in [(0, 0, 1), (1, 1, 3), (-2, -1, 0), (2, 2, 3)]:
        check("diag", x, k=k, axis1=one, axis2=two, want=np.diagonal(x, k, one, two))
    with pytest.raises(MXNetError, match="outside"):
        mx.nd.diag(mx.nd.zeros((2, 2)), k=5)
