"""Reading and writing at keys, against numpy; views and the tape against MXNet's behaviour."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

import baryon as mx
from baryon import autograd, nd


def ramp(*shape):
    return nd.arange(int(np.prod(shape))).reshape(shape)


def lifted(array):
    """numpy's result as MXNet shapes it: one element has shape (1,)."""
    return array.reshape(array.shape or (1,))


KEYS = [
    0, -1, np.int64(1), slice(None), slice(1, 3), slice(None, None, 2), slice(None, None, -1),
    slice(3, 0, -2), (1, 2), (1, 2, 3), (slice(None), 1), (Ellipsis, 1), (1, Ellipsis), None,
    (None, 1), (slice(None), None, 2), Ellipsis, (), (slice(1, 2), slice(0, 2), slice(1, None)),
    (0, slice(1, 3)), (0, 1, slice(1, 3)), [1, 0], [[0, 1], [2, 0]], np.array([0, -1]),
    ([0, 1], [1, 2]), ([0, 1], slice(None), [1, 2]), (slice(None), [2, 0]), (1, [0, 2]),
    (Ellipsis, [3, 0]), (None, [1, 2]), ([0, 2], 1, slice(1, 3)), range(2),
    np.array([True, False, True]),
    (slice(None), np.array([True, False, True])), np.arange(36).reshape(3, 3, 4) % 5 == 0,
    np.zeros((3, 3, 4), bool), (np.eye(3, dtype=bool), slice(1, 3)), slice(5, 9),
]  # fmt: skip


@pytest.mark.parametrize("key", KEYS, ids=repr)
def test_getitem_is_numpys(key):
    x = ramp(3, 3, 4)
    want = lifted(x.asnumpy()[tuple(key) if isinstance(key, tuple) else key])
    got = x[key]
    assert got.shape == want.shape
    np.testing.assert_array_equal(got.asnumpy(), want)


@pytest.mark.parametrize("key", KEYS, ids=repr)
def test_setitem_is_numpys(key):
    for value in (7.5, "same"):
        x = ramp(3, 3, 4)
        want = x.asnumpy()
        filled = value if value == 7.5 else nd.array(want[key] * 2 + 1)
        want[key] = filled if value == 7.5 else filled.asnumpy()
        x[key] = filled
        np.testing.assert_array_equal(x.asnumpy(), want)


@pytest.mark.parametrize("key", KEYS, ids=repr)
def test_recorded_getitem_differentiates(key):
    x = ramp(3, 3, 4)
    want = lifted(x.asnumpy()[key])
    if not want.size:
        pytest.skip("no recorded arrays of size zero")
    weight = np.arange(1, want.size + 1, dtype=np.float32).reshape(want.shape)
    expected = np.zeros(x.shape, np.float32)
    np.add.at(expected, key, weight.reshape(expected[key].shape))
    x.attach_grad()
    with autograd.record():
        y = x[key]
        loss = y * nd.array(weight)
    np.testing.assert_array_equal(y.asnumpy(), want)
    loss.backward()
    np.testing.assert_array_equal(x.grad.asnumpy(), expected)


@settings(max_examples=150, deadline=None)
@given(st.data())
def test_any_basic_key(data):
    shape = data.draw(hnp.array_shapes(min_dims=1, max_dims=4, max_side=4))
    key = data.draw(hnp.basic_indices(shape, allow_newaxis=True))
    x = ramp(*shape)
    want = lifted(x.asnumpy()[key])
    np.testing.assert_array_equal(x[key].asnumpy(), want)
    x[key] = -1
    assert (x[key].asnumpy() == -1).all()


@settings(max_examples=100, deadline=None)
@given(st.data())
def test_any_integer_arrays(data):
    shape = data.draw(hnp.array_shapes(min_dims=1, max_dims=3, max_side=4))
    key = data.draw(hnp.integer_array_indices(shape))
    x = ramp(*shape)
    np.testing.assert_array_equal(x[key].asnumpy(), lifted(x.asnumpy()[key]))


def test_ndarray_keys_of_floats_are_integers():
    x = ramp(2, 3)
    assert (x[nd.array([1, 0])].asnumpy() == x.asnumpy()[[1, 0]]).all()
    assert (x[nd.array([1, 0]), nd.array([2, 1])].asnumpy() == [5, 1]).all()
    assert x[x > 2].shape == (2, 3, 3)  # a float mask is not a mask, as in MXNet
    assert (x[(x > 2).astype("bool")].asnumpy() == [3, 4, 5]).all()


@pytest.mark.parametrize(
    "key, error",
    [
        (2, IndexError), (-3, IndexError), ((0, 5), IndexError), ((0, 0, 0), IndexError),
        (nd.array([1, 7]), IndexError), ("a", ValueError), (1.5, ValueError), (["a"], ValueError),
        (np.array([True, False, True]), IndexError), (object(), ValueError),
    ],
    ids=str,
)  # fmt: skip
def test_bad_keys(key, error):
    x = ramp(2, 3)
    with pytest.raises(error):
        x[key]
    with pytest.raises(error):
        x[key] = 1
    x.attach_grad()
    with autograd.record(), pytest.raises(error):
        x[key]


@pytest.mark.parametrize("value", [np.arange(4), [1, 2], nd.ones((3, 2))], ids=repr)
def test_values_that_do_not_broadcast(value):
    with pytest.raises(ValueError, match="broadcast"):
        ramp(2, 3)[:] = value


@pytest.mark.parametrize("value", [None, "text", {"a": 1}], ids=repr)
def test_values_that_are_no_numbers(value):
    with pytest.raises((TypeError, ValueError)):
        ramp(2, 3)[:] = value


def test_contiguous_slices_and_reshapes_are_views_and_others_are_copies():
    x = nd.ones((2, 3))
    x[1][:] = 7
    x.reshape((3, 2))[0] = 9
    x[0:1][:] += 3
    x[:, 1][:] = 50
    x[1, 1:3][:] = 77
    assert x.asnumpy().tolist() == [[12, 12, 4], [7, 77, 77]]
    x.flatten(inplace=True)[:] = 4
    x.expand_dims(0, inplace=True)[:] += 1
    x.expand_dims(0)[:] = 100
    x.detach()[0, 0] = 0
    assert x.asnumpy().tolist() == [[0, 5, 5], [5, 5, 5]]


def test_views_of_recorded_arrays_share_memory():
    x = nd.ones((2, 3))
    x.attach_grad()
    with autograd.record():
        y, z, w, r = x[0], x[1:2], x[:, 1], x.reshape((3, 2))
    y[:] = 7
    z[:] = 8
    r[0] = 9
    w[:] = 0
    assert x.asnumpy().tolist() == [[9, 9, 7], [8, 8, 8]]


def test_assignment_casts_and_broadcasts():
    x = nd.ones((2, 3), dtype="int32")
    x[1] = 2.7
    assert x.asnumpy().tolist() == [[1, 1, 1], [2, 2, 2]]
    y = nd.ones((2, 3))
    y[1] = [1, 2, 3]
    y[0, 0] = nd.array([4])
    y[..., 2] = np.float64(9.5)
    y[0, 1:2] = nd.ones(1, dtype="int32")
    assert y.asnumpy().tolist() == [[4, 1, 9.5], [1, 2, 9.5]]
    y[:] = nd.arange(3)
    assert y.asnumpy().tolist() == [[0, 1, 2], [0, 1, 2]]


def test_overlapping_assignment():
    x = nd.arange(6)
    x[1:] = x[:-1]
    assert x.asnumpy().tolist() == [0, 0, 1, 2, 3, 4]


def test_in_place_changes_of_recorded_arrays_raise():
    x, constant = nd.ones((2, 3)), nd.zeros((2, 3))
    x.attach_grad()

    def write(array, value):
        array[0] = value

    def add(array, value):
        array += value

    with autograd.record():
        y = x * x
        for change in (write, add):
            for array in (x, y):
                with pytest.raises(mx.MXNetError, match="computational graph"):
                    change(array, 1)
            with pytest.raises(mx.MXNetError, match="recording"):
                change(constant, y[0])
        constant[0] = 3  # neither is on the tape
        constant += 1
    assert constant.asnumpy().tolist() == [[4, 4, 4], [1, 1, 1]]


def test_recorded_full_assignment_carries_gradients():
    x, target = nd.ones((2, 3)), nd.zeros((2, 3))
    x.attach_grad()
    with autograd.record():
        target[:] = x * x
        loss = target * 3
    loss.backward()
    assert (x.grad.asnumpy() == 6).all()


def test_iteration_and_length():
    x = ramp(3, 2)
    assert [row.asnumpy().tolist() for row in x] == x.asnumpy().tolist()
    assert len(x) == 3
    a, b, c = nd.arange(3)
    assert c.asscalar() == 2
    assert [v.shape for v in nd.arange(2)] == [(1,), (1,)]


def test_slice_assign():
    x = ramp(3, 4)
    want = x.asnumpy()
    want[0:2, 1::2] = -1
    assert x.slice_assign_scalar(-1, (0, 1), (2, None), (None, 2)) is x
    np.testing.assert_array_equal(x.asnumpy(), want)
    x.slice_assign(nd.zeros((2, 4)), (1,), (3,), ())
    assert x.asnumpy()[1:].sum() == 0


def test_boolean_mask():
    x = ramp(3, 2)
    x.attach_grad()
    with autograd.record():
        y = nd.contrib.boolean_mask(x, nd.array([0, 1, 1]))
    assert y.asnumpy().tolist() == [[2, 3], [4, 5]]
    y.backward()
    assert x.grad.asnumpy().tolist() == [[0, 0], [1, 1], [1, 1]]
    assert nd.contrib.boolean_mask(x, nd.array([1, 0]), axis=1).shape == (3, 1)
    assert nd.contrib.boolean_mask(x, nd.zeros(3)).shape == (0, 2)
    with pytest.raises(mx.MXNetError, match="index"):
        nd.contrib.boolean_mask(x, nd.zeros(2))


@pytest.mark.parametrize("dtype", ["float32", "float16", "bfloat16", "int64", "bool"])
def test_all_of_a_large_array_is_written(dtype):
    """By a kernel where source and target are alike and apart, else by NumPy; all give the same."""
    values = np.arange(60_000).reshape(200, 300) % 7
    source = mx.nd.array(values).astype(dtype)
    wide = mx.nd.zeros((200, 300), dtype=dtype)
    wide[:] = source
    np.testing.assert_array_equal(wide.asnumpy(), source.asnumpy())
    wide[...] = source.asnumpy()[::-1]
    np.testing.assert_array_equal(wide.asnumpy(), source.asnumpy()[::-1])
    wide[:] = wide
    wide[:] = source.astype("float64")
    np.testing.assert_array_equal(wide.asnumpy(), source.asnumpy())
    frozen = source.asnumpy().copy()
    frozen.flags.writeable = False
    wide[:] = 0
    wide[:] = frozen
    np.testing.assert_array_equal(wide.asnumpy(), frozen)
    wide[:] = frozen[:1]
    np.testing.assert_array_equal(wide.asnumpy(), np.broadcast_to(frozen[:1], (200, 300)))
