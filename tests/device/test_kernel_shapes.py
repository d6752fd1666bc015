"""CUDA kernels on shapes that samples do not have: long rows, odd sizes, many tensors, views."""

from __future__ import annotations

import numpy as np
import pytest
from contract import Call
from test_kernels import compare, launched

import baryon as mx
from baryon.ops import get
from baryon.ops.samples import Sample

RNG = np.random.default_rng(7)


def case(name, *shapes, dtype="float32", train=True, **raw):
    """A call on random positive arrays of these shapes."""
    op, kind = get(name), mx.dtypes.as_dtype(dtype)
    attrs, given = op.attributes(raw, train), [kind] + [None] * (len(shapes) - 1)
    asked, _ = op.infer_dtypes(attrs, given, [None] * 64)
    pairs = zip(shapes, asked, strict=True)
    arrays = [np.asarray(RNG.uniform(0.5, 1.5, s), d or kind) for s, d in pairs]
    sample = Sample({}, raw, train=train, rtol=2e-5, atol=2e-5)
    return Call(op, sample, dtype, arrays, attrs)


def check(call):
    found = launched(call)
    assert found is not NotImplemented
    compare(call, found)


@pytest.mark.parametrize("dtype", ["float32", "float16"])
@pytest.mark.parametrize("shape", [(3, 5000), (2, 1025), (70, 33), (1, 1), (5, 4096)])
def test_rows_of_softmax_and_layer_norm(shape, dtype):
    check(case("softmax", shape, dtype=dtype))
    check(case("log_softmax", shape, dtype=dtype))
    check(case("_backward_softmax", shape, shape, dtype=dtype))
    check(case("LayerNorm", shape, shape[1:], shape[1:], dtype=dtype))
    statistics = (shape[0], 1)
    more = [shape[1:], statistics, statistics]
    check(case("_backward_LayerNorm", shape, shape, *more, dtype=dtype, axis=-1, eps=1e-5))


@pytest.mark.parametrize("axis", [0, 1])
def test_layer_norm_of_an_inner_axis(axis):
    shape = (33, 17, 5)
    vector, statistics = (shape[axis],), (*shape[:axis], 1, *shape[axis + 1 :])
    check(case("LayerNorm", shape, vector, vector, axis=axis))
    more = [vector, statistics, statistics]
    check(case("_backward_LayerNorm", shape, shape, *more, axis=axis, eps=1e-5))


@pytest.mark.parametrize("axis, shape", [(1, (5, 33, 17, 9)), (-1, (301, 100)), (-1, (3, 5, 7))])
@pytest.mark.parametrize("dtype", ["float32", "float16"])
def test_batch_norm(axis, shape, dtype):
    vector = (shape[axis],)
    check(case("BatchNorm", shape, *[vector] * 4, dtype=dtype, axis=axis, fix_gamma=False))
    attrs = dict(eps=1e-3, momentum=0.9, fix_gamma=False, axis=axis, batch=True)
    check(case("_backward_BatchNorm", shape, shape, *[vector] * 5, dtype=dtype, **attrs))


@pytest.mark.parametrize("layout", ["NCHW", "NHWC"])
@pytest.mark.parametrize("kind", ["max", "avg"])
def test_pooling_of_many_windows(layout, kind):
    shape = (2, 5, 31, 23) if layout == "NCHW" else (2, 31, 23, 5)
    attrs = dict(kernel=(3, 3), stride=(2, 2), pad=(1, 1), pool_type=kind, layout=layout)
    call = case("Pooling", shape, **attrs)
    check(call)
    head = call.body()[0].shape
    data = [shape] if kind == "max" else []
    check(case("_backward_Pooling", head, *data, shape=shape, **attrs))


@pytest.mark.parametrize("count", [1, 1023, 10001])
def test_dropout_draws_the_same_numbers(count):
    check(case("Dropout", (count,), p=0.3))


def test_take_and_its_gradient_of_wide_rows():
    for inner in (1, 100, 129):
        check(case("take", (50, inner), (9, 4), mode="wrap"))
        check(case("_backward_take", (9, 4, inner), (9, 4), shape=(50, inner)))


SIZES = [(4097,), (1,), (64, 64), (0,), (5000, 2), *[(3, 3)] * 41]


def test_updates_of_more_tensors_than_one_launch_takes():
    count = len(SIZES)
    rates = dict(lrs=tuple(np.linspace(0.1, 0.5, count)), wds=(0.01,) * count, momentum=0.9)
    arrays = [s for s in SIZES for _ in range(3)]
    check(case("multi_sgd_mom_update", *arrays, num_weights=count, **rates))


def test_lamb_sums_over_many_blocks():
    sizes = [(4097,), (2, 2), (9000,)]
    rates = dict(learning_rates=(0.1, 0.2, 0.3), wds=(0.01,) * 3, step_count=(1, 2, 3))
    arrays = [s for s in sizes for _ in range(4)]
    check(case("_multi_lamb_update", *arrays, num_tensors=3, **rates))


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_updates_of_more_than_a_block(dtype):
    one = (2, 4099)
    check(case("ftrl_update", *[one] * 4, dtype=dtype, lr=0.1))
    check(case("ftml_update", *[one] * 5, dtype=dtype, lr=0.1, t=4, clip_grad=0.8))
    check(case("rmspropalex_update", *[one] * 5, dtype=dtype, lr=0.1, gamma1=0.5))
    check(case("lamb_update_phase1", *[one] * 4, dtype=dtype, wd=0.1, t=2))
    phase = dict(dtype=dtype, lr=0.1, lower_bound=0.6, upper_bound=0.9)
    check(case("lamb_update_phase2", one, one, (1,), (1,), **phase))
    check(case("_contrib_group_adagrad_update", one, one, (2, 1), dtype=dtype, lr=0.1))


def test_infinite_and_not_a_number_stay_so():
    for value in (np.inf, np.nan, -np.inf):
        call = case("softmax", (3, 40))
        call.arrays[0][1, 7] = value
        check(call)
        call = case("Pooling", (1, 1, 6, 6), kernel=(2, 2), stride=(2, 2))
        call.arrays[0][0, 0, 2, 3] = value
        check(call)
        found = launched(case("all_finite", (5000,)))
        assert found.get()[0] == 1
    call = case("all_finite", (5000,))
    call.arrays[0][4999] = np.nan
    check(call)
