"""Arrays in other libraries' hands: numpy's protocol and DLPack."""

import numpy as np
import pytest

import baryon as mx
from baryon import nd


def test_asnumpy_is_a_copy_of_its_own():
    x = nd.zeros((2, 2))
    a = x.asnumpy()
    a[:] = 1
    assert x.asnumpy().sum() == 0


def test_array_protocol():
    x = nd.array([[1, 2], [3, 4]])
    shared = np.asarray(x)
    assert np.shares_memory(shared, np.asarray(x))
    assert not np.shares_memory(np.array(x), shared)
    assert np.asarray(x, dtype="int64").dtype == np.int64
    assert np.asarray(x, copy=False) is not None
    with pytest.raises(ValueError, match="copy"):
        np.asarray(x, dtype="int64", copy=False)
    assert np.stack([x, x]).shape == (2, 2, 2)
    assert np.concatenate([x, x]).shape == (4, 2)


def test_numpy_operators_leave_arrays_alone():
    x = nd.ones(2)
    for mixed in (lambda: np.ones(2) + x, lambda: np.exp(x)):
        with pytest.raises(TypeError):
            mixed()
    assert isinstance(np.float32(2) * x, nd.NDArray)


def test_from_numpy_shares_and_protects():
    a = np.arange(6, dtype=np.float64).reshape(2, 3)
    x = nd.from_numpy(a)
    assert np.shares_memory(np.asarray(x), a)
    assert x.dtype is np.float64
    with pytest.raises(ValueError, match="read-only"):
        a[0, 0] = 1
    x[0, 0] = 9
    assert a[0, 0] == 9
    b = np.ones((2, 3), np.float32)
    assert not np.shares_memory(np.asarray(nd.from_numpy(b, zero_copy=False)), b)
    assert nd.from_numpy(b.T, zero_copy=False).shape == (3, 2)
    with pytest.raises(ValueError, match="contiguous"):
        nd.from_numpy(b.T)
    with pytest.raises(mx.MXNetError, match="complex"):
        nd.from_numpy(np.ones(2, complex))


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64", "int8", "int64", "uint8"])
def test_dlpack_both_ways(dtype):
    x = nd.array([[1, 2, 3]], dtype=dtype)
    assert x.__dlpack_device__() == (1, 0)
    a = np.from_dlpack(x)
    assert np.shares_memory(a, np.asarray(x))
    y = nd.from_dlpack(np.array([1, 2], dtype=dtype))
    assert (y.dtype, y.asnumpy().tolist()) == (np.dtype(dtype).type, [1, 2])
    for capsule in (x.to_dlpack_for_read(), nd.to_dlpack_for_write(x)):
        z = nd.from_dlpack(capsule)
        z[0, 0] = 7
        assert x.asnumpy()[0, 0] == 7
        x[0, 0] = 1


def test_dlpack_of_what_cannot_be_taken():
    with pytest.raises(mx.MXNetError, match="from_dlpack"):
        nd.from_dlpack(object())
    with pytest.raises(mx.MXNetError):
        nd.from_dlpack(np.ones(2, complex))
    with pytest.raises(BufferError, match="bfloat16"):
        nd.ones(2, dtype="bfloat16").__dlpack__()
    strided = nd.from_dlpack(np.arange(6, dtype=np.float32).reshape(2, 3).T)
    assert strided.asnumpy().tolist() == [[0, 3], [1, 4], [2, 5]]


def test_dlpack_with_torch():
    torch = pytest.importorskip("torch")
    x = nd.ones((2, 3))
    t = torch.from_dlpack(x)
    t[0, 0] = 5
    assert x.asnumpy()[0, 0] == 5
    assert nd.from_dlpack(t).shape == (2, 3)


def test_read_only_arrays():
    values = np.ones(3, np.float32)
    x = mx.nd.NDArray(values, writable=False)
    with pytest.raises(ValueError, match="read-only"):
        x[:] = 2
    with pytest.raises((ValueError, mx.MXNetError), match="read-only"):
        x += 1
    with pytest.raises(mx.MXNetError, match="elemwise_add: out is a read-only array"):
        mx.nd.elemwise_add(x, x, out=x)
    assert x.asnumpy().tolist() == values.tolist() == [1, 1, 1]


def test_class_of_an_array_from_numpy():
    made = mx.nd.from_numpy(np.ones((2, 3)), zero_copy=False, array_cls=mx.np.ndarray)
    assert type(made) is mx.np.ndarray and made.shape == (2, 3)
