"""Making arrays, against numpy."""

import numpy as np
import pytest

import baryon as mx
from baryon import nd

DTYPES = ["float16", "float32", "float64", "bfloat16", "int8", "int32", "int64", "uint8", "bool"]


@pytest.mark.parametrize("dtype", DTYPES)
def test_every_dtype_is_made_filled_and_cast(dtype):
    x = nd.ones((2, 3), dtype=dtype)
    assert x.dtype is mx.dtypes.as_dtype(dtype).type
    assert x.asnumpy().astype("float64").sum() == 6
    y = nd.array([0, 1, 2], dtype=dtype)
    assert (y.asnumpy().astype("float64") == [0, 1, 1 if dtype == "bool" else 2]).all()
    assert nd.array([0, 1], dtype="float32").astype(dtype).dtype is x.dtype
    assert nd.zeros(2).astype(x).dtype is x.dtype


@pytest.mark.parametrize("dtype", ["uint32", "complex64", "nonsense", object])
def test_unknown_dtypes_raise(dtype):
    with pytest.raises(mx.MXNetError, match="unknown data type"):
        nd.ones(2, dtype=dtype)


def test_array_is_float32_unless_told_or_taken_from_an_ndarray():
    assert nd.array(np.arange(3)).dtype is np.float32
    assert nd.array([True, False]).dtype is np.float32
    assert nd.array(np.arange(3), dtype="int64").dtype is np.int64
    assert nd.array(nd.array([1, 2], dtype="int32")).dtype is np.int32


def test_array_copies():
    source = np.ones((2, 2), np.float32)
    x = nd.array(source)
    y = nd.array(x)
    source[:] = 5
    x[:] = 7
    assert x.asnumpy()[0, 0] == 7
    assert y.asnumpy()[0, 0] == 1
    assert (nd.array(np.arange(6).reshape(2, 3).T).asnumpy() == [[0, 3], [1, 4], [2, 5]]).all()


@pytest.mark.parametrize("bad", ["abc", [[1, 2], [3]], object(), {"a": 1}])
def test_array_of_no_array_raises(bad):
    with pytest.raises(TypeError, match="source_array"):
        nd.array(bad)


@pytest.mark.parametrize("shape", [(), (0, 3), -1, (2, -1), 2.0, "a", None, (2, "a")])
def test_shapes_that_mxnet_refuses(shape):
    for make in (nd.zeros, nd.ones):
        with pytest.raises(mx.MXNetError, match="shape"):
            make(shape)


def test_numpy_shapes_allow_zero():
    with mx.util.np_shape(True):
        assert nd.zeros(()).shape == ()
        assert nd.zeros((0, 3)).size == 0
    with pytest.raises(mx.MXNetError):
        nd.zeros((0, 3))


def test_zero_size_arrays_come_from_data():
    assert nd.array([]).shape == (0,)
    assert nd.array(np.zeros((0, 3))).shape == (0, 3)
    assert nd.empty(0).shape == (0,)


@pytest.mark.parametrize("start, stop, step", [(0, 5, 1), (2, 11, 3), (5, 0, -2), (0, 1, 0.3)])
@pytest.mark.parametrize("dtype", ["float32", "float64", "int32"])
def test_arange(start, stop, step, dtype):
    want = np.arange(start, stop, step).astype(dtype)
    got = nd.arange(start, stop, step, dtype=dtype).asnumpy()
    assert got.dtype == want.dtype
    np.testing.assert_allclose(got, want)


def test_ranges_and_eyes():
    assert (nd.arange(3).asnumpy() == [0, 1, 2]).all()
    assert (nd.arange(1, 3, repeat=2).asnumpy() == [1, 1, 2, 2]).all()
    np.testing.assert_allclose(nd.linspace(0, 1, 5).asnumpy(), np.linspace(0, 1, 5))
    np.testing.assert_allclose(
        nd.linspace(0, 1, 5, endpoint=False).asnumpy(), np.linspace(0, 1, 5, endpoint=False)
    )
    assert (nd.eye(2, 3, k=1).asnumpy() == np.eye(2, 3, 1)).all()
    assert (nd.eye(3).asnumpy() == np.eye(3)).all()
    assert (nd.full((2, 2), 7, dtype="int32").asnumpy() == 7).all()
    with pytest.raises(mx.MXNetError, match="step"):
        nd.arange(0, 3, 0)


def test_out_and_unknown_keywords():
    x = nd.zeros((2, 2))
    assert nd.ones((2, 2), out=x) is x
    assert x.asnumpy().sum() == 4
    with pytest.raises(TypeError, match="colour"):
        nd.zeros(2, colour="red")
    with pytest.raises(mx.MXNetError, match="storage type"):
        nd.ones((2, 2), stype="csr")


def test_devices_name_memory_of_the_cpu():
    x = nd.ones(2, ctx=mx.cpu(1))
    assert x.context == mx.cpu(1)
    assert (nd.ones(2) + x).asnumpy().tolist() == [2, 2]
    for made in (x + x, x * 2, nd.relu(x), x.sum(), x[0], x.reshape((2, 1)), x.detach(), x.copy()):
        assert made.context == mx.cpu(1)
    with mx.cpu(2):
        assert nd.zeros(1).context == mx.cpu(2)
    assert nd.array([1]).context == mx.cpu(0)


@pytest.mark.skipif(mx.num_gpus() > 0, reason="a GPU is present")
def test_a_missing_gpu_raises_with_a_hint():
    assert str(mx.gpu(3)) == "gpu(3)"
    for place in (
        lambda: nd.ones(2, ctx=mx.gpu()),
        lambda: nd.array([1], ctx=mx.gpu(1)),
        lambda: nd.ones(2).as_in_context(mx.gpu()),
        lambda: nd.ones(2).copyto(mx.gpu()),
        lambda: nd.empty(2, ctx=mx.gpu()),
    ):
        with pytest.raises(mx.MXNetError, match="CuPy|does not exist"):
            place()
    with pytest.raises(mx.MXNetError):
        mx.context.gpu_memory_info()


def test_integers_wrap_around():
    assert nd.array([300, -1], dtype="uint8").asnumpy().tolist() == [44, 255]
    assert nd.full(1, -1, dtype="uint8").asnumpy().tolist() == [255]
    x = nd.zeros(2, dtype="int8")
    x[:] = 200
    assert x.asnumpy().tolist() == [-56, -56]
