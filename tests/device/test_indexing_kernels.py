"""CUDA kernels that read and write by index: repetitions, faults told late, captured programs."""

from __future__ import annotations

import numpy as np
import pytest
from cuda_emulator import compiler
from test_kernels import check

import baryon as mx

pytestmark = pytest.mark.skipif(compiler is None, reason="g++ is not installed")
RNG = np.random.default_rng(23)
GPU = mx.gpu(0)


def on_gpu(values, dtype="float32"):
    return mx.nd.array(np.asarray(values), ctx=GPU, dtype=dtype)


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64", "int64", "int8"])
def test_slices(dtype):
    data = RNG.integers(-9, 9, (5, 7, 33)).astype(dtype)
    points = np.stack([RNG.integers(-5, 5, 60), RNG.integers(-7, 7, 60)]).astype(np.int32)
    check("gather_nd", data, points)
    rows = RNG.integers(-9, 9, (60, 33)).astype(dtype)  # more than slices, so some are repeated
    check("scatter_nd", rows, points, shape=data.shape)
    check("_scatter_set_nd", data, rows, points, shape=data.shape)
    copied = RNG.integers(0, 5, 9), RNG.integers(-9, 9, (9, 7, 33)).astype(dtype)
    check("_contrib_index_copy", data, *copied)
    if dtype.startswith("float"):
        check("_backward_gather_nd", rows, points, shape=data.shape, dtype=dtype)


@pytest.mark.parametrize("axis", [0, 1])
def test_sequences(axis):
    data = RNG.normal(size=(31, 17, 5) if axis == 0 else (17, 31, 5))
    lengths = RNG.integers(-1, 34, 17).astype(np.float32)
    told = dict(use_sequence_length=True, axis=axis)
    check("SequenceMask", data, lengths, value=2.5, **told)
    check("SequenceReverse", data, lengths, **told)
    check("SequenceLast", data, lengths, **told)
    dy = RNG.normal(size=(17, 5))
    check("_backward_SequenceLast", dy, lengths, shape=data.shape, **told)
    check("_backward_SequenceLast", dy, axis=axis, shape=data.shape)


def test_single_elements():
    data, index = RNG.normal(size=(3, 40, 11)), RNG.integers(-60, 60, (3, 11)).astype(np.float32)
    for mode in ("clip", "wrap"):
        check("pick", data, index, axis=1, mode=mode)
        check(
            "_backward_pick", RNG.normal(size=(3, 11)), index, axis=1, shape=data.shape, mode=mode
        )
    check("one_hot", index, depth=23, on_value=2.5, off_value=-1.0, dtype="float16")
    check("batch_take", data[0], RNG.integers(-3, 20, 40))


def test_a_coordinate_outside_is_told_when_somebody_waits():
    data, good = on_gpu(np.arange(6).reshape(2, 3)), on_gpu([[1, -2], [0, 2]])
    bad = on_gpu([[0, 2], [0, 0]])
    found = mx.nd.gather_nd(data, bad)
    with pytest.raises(
        IndexError, match=r"gather_nd: index 2 is out of bounds for axes of \(2, 3\)"
    ):
        found.asnumpy()
    assert found.asnumpy().tolist() == [0, 0]  # told once
    mx.nd.scatter_nd(on_gpu([1, 2]), bad, shape=(2, 3))
    with pytest.raises(IndexError, match="scatter_nd: index 2"):
        mx.nd.waitall()
    index = on_gpu([-1], "int64")
    with pytest.raises(IndexError, match="index_copy: index -1"):
        mx.nd.contrib.index_copy(data, index, on_gpu([[7, 7, 7]])).wait_to_read()
    assert mx.nd.gather_nd(data, good).asnumpy().tolist() == [3, 2]


def test_reading_by_coordinates_does_not_wait(counts):
    data, points = on_gpu(RNG.normal(size=(4, 5))), on_gpu([[1, -2, 3], [0, 2, 4]])
    out = mx.nd.gather_nd(data, points)
    mx.nd.scatter_nd(out, points, shape=(4, 5))
    mx.nd.one_hot(points[0], depth=5)
    counts.clear()
    out = mx.nd.gather_nd(data, points)
    mx.nd.scatter_nd(out, points, shape=(4, 5))
    mx.nd.one_hot(points[0], depth=5)
    assert counts["synchronizations"] == counts["uploads"] == 0


def test_programs_that_read_by_coordinates_are_captured():
    x, points = mx.sym.var("x"), mx.sym.var("points")
    symbol = mx.sym.gather_nd(x * 2, points)
    grad = mx.nd.zeros((4, 5), ctx=GPU)
    given = {"x": on_gpu(RNG.normal(size=(4, 5))), "points": on_gpu([[1, -2, 1], [0, 2, 0]])}
    exe = symbol.bind(GPU, given, {"x": grad})
    for _ in range(3):
        exe.forward(is_train=True)
        exe.backward(mx.nd.ones(3, ctx=GPU))
    want = np.zeros((4, 5))
    want[1, 0], want[2, 2] = 4, 2
    np.testing.assert_array_equal(grad.asnumpy(), want)
    assert exe._program(True).on_gpu(0).refusal is None


@pytest.mark.parametrize("mode", ["constant", "edge", "reflect"])
def test_padding(mode):
    width = (0, 0, 2, 0, 3, 4, 0, 5)
    data = RNG.normal(size=(2, 3, 5, 6))
    check("Pad", data, mode=mode, pad_width=width, constant_value=1.5)
    check("Pad", data.astype(np.int32), mode=mode, pad_width=width)
    if mode != "constant":
        check("_backward_Pad", RNG.normal(size=(2, 5, 12, 11)), mode=mode, pad_width=width)


def test_cross_entropy_along_any_axis():
    for shape, axis in (((7, 2500), -1), ((3, 40, 33), 1), ((1, 1), -1)):
        data, kept = RNG.normal(size=shape), list(shape)
        kept[axis] = 1
        label = RNG.integers(-2, shape[axis] + 2, kept).astype(np.float32)
        check("_cross_entropy", data, label, axis=axis)
        arrays = RNG.normal(size=kept), data, label, RNG.normal(4, 0.1, kept)
        check("_backward_cross_entropy", *arrays, axis=axis)


def test_histograms():
    values = RNG.normal(size=700)
    values[:4] = -2, 2, 0.5, np.nan
    check("_histogram", values, bin_cnt=7, range=(-2.0, 2.0))
    check("_histogram", values[:3], np.array([-1, -0.5, 0.5, 2]))
    check("_histogram", RNG.integers(-9, 9, 700).astype(np.int32), bin_cnt=5, range=(-8.0, 7.0))
    for x in (values[4:], np.full(3, 2.0), np.zeros(0)):
        counts, edges = mx.nd.histogram(on_gpu(x), 6)
        want = np.histogram(x.astype(np.float32), 6)
        assert counts.context == GPU
        np.testing.assert_array_equal(counts.asnumpy(), want[0])
        np.testing.assert_allclose(edges.asnumpy(), want[1], rtol=1e-6)
