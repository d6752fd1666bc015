"""GPU arrays: making, moving, reading, writing and exchanging them."""

from __future__ import annotations

import os
import pickle
import sys

import numpy as np
import pytest

import baryon as mx
from baryon.context import load_cupy

GPU = mx.gpu(0)
TWO = pytest.mark.skipif("not __import__('baryon').context.num_gpus() > 1", reason="one GPU")


@pytest.fixture
def x():
    return mx.nd.array(np.arange(12.0).reshape(3, 4), ctx=GPU)


def test_arrays_are_made_on_the_gpu():
    made = [
        mx.nd.array([1, 2], ctx=GPU),
        mx.nd.zeros((2, 3), ctx=GPU),
        mx.nd.ones(2, ctx=GPU),
        mx.nd.full(2, 7, ctx=GPU),
        mx.nd.empty((2, 2), ctx=GPU),
        mx.nd.arange(5, ctx=GPU),
        mx.nd.linspace(0, 1, 3, ctx=GPU),
        mx.nd.eye(3, ctx=GPU),
        mx.nd.random.normal(shape=3, ctx=GPU),
        mx.np.ones((2, 2), ctx=GPU),
        mx.np.array([1.0], ctx=GPU),
        mx.np.random.uniform(size=3, ctx=GPU),
    ]
    assert all(x.context == GPU for x in made)
    assert made[0].asnumpy().tolist() == [1, 2]
    with GPU:
        assert mx.nd.zeros(2).context == GPU


def test_copies_between_devices(x):
    host = x.as_in_context(mx.cpu())
    assert host.context == mx.cpu() and (host.asnumpy() == np.arange(12).reshape(3, 4)).all()
    assert x.as_in_context(GPU) is x and x.as_in_ctx("gpu(0)") is x
    back = host.copyto(GPU)
    assert back.context == GPU and (back.asnumpy() == host.asnumpy()).all()
    target = mx.nd.zeros((3, 4), ctx=GPU, dtype="int32")
    assert host.copyto(target) is target and target.asnumpy().sum() == 66
    assert x.copyto(mx.nd.zeros((3, 4))).asnumpy().sum() == 66


@TWO
def test_two_gpus(x):
    other = x.as_in_context(mx.gpu(1))
    assert other.context == mx.gpu(1)
    assert ((other * 2)[1] + other[0]).context == mx.gpu(1)
    other[:] = x + 1
    assert (other.asnumpy() == x.asnumpy() + 1).all()
    with pytest.raises(mx.MXNetError, match="different devices"):
        x + other


def test_operands_on_two_devices_are_refused(x):
    with pytest.raises(mx.MXNetError, match=r"different devices.*(gpu\(0\).*cpu|cpu.*gpu\(0\))"):
        x + mx.nd.ones((3, 4))


def test_reading(x):
    assert x[1, 2].asscalar() == 6 and float(x[0, 1]) == 1 and int(x[2, 3].item()) == 11
    assert x[1:, ::2].asnumpy().tolist() == [[4, 6], [8, 10]]
    assert x[mx.nd.array([2, 0], ctx=GPU)].asnumpy()[0, 0] == 8
    assert x[[2, -1], 1].asnumpy().tolist() == [9, 9]
    assert x[np.array([0, 2])].shape == (2, 4)
    assert len(x.asnumpy()) == 3 and bool(x[0, 1] == 1)


def test_slices_share_memory(x):
    x[1][:] = -1
    x[2:3] += 100
    assert x.asnumpy()[1].tolist() == [-1] * 4 and x.asnumpy()[2, 0] == 108
    x.reshape((4, 3))[0, 0] = 5
    assert x[0, 0].asscalar() == 5


def test_writing(x):
    x[0] = 1
    x[1, 1:3] = np.array([7.0, 8.0])
    x[:, 3] = mx.nd.array([1, 2, 3])
    x[2, :2] = [5, 6]
    x[mx.nd.array([0], ctx=GPU)] = 9
    want = [[9, 9, 9, 9], [4, 7, 8, 2], [5, 6, 10, 3]]
    assert x.asnumpy().tolist() == want


def test_masks():
    x = mx.np.array([[1.0, -2.0], [-3.0, 4.0]], ctx=GPU)
    assert x[x > 0].asnumpy().tolist() == [1, 4]
    x[x < 0] = 0
    assert x.asnumpy().tolist() == [[1, 0], [0, 4]]


def test_in_place_and_out(x):
    y = x
    y += 1
    y *= 2
    assert y is x and x.asnumpy()[0].tolist() == [2, 4, 6, 8]
    mx.nd.sqrt(x, out=y)
    assert y.asnumpy()[0, 0] == np.float32(2**0.5)


def test_files_and_pickles_keep_the_device(x, tmp_path):
    path = str(tmp_path / "x.params")
    mx.nd.save(path, {"x": x})
    found = mx.nd.load(path)["x"]
    assert found.context == GPU and (found.asnumpy() == x.asnumpy()).all()
    again = pickle.loads(pickle.dumps(x))
    assert again.context == GPU and (again.asnumpy() == x.asnumpy()).all()


def test_bfloat16():
    x = mx.nd.array([1.0, 2.5, -3.0], ctx=GPU, dtype="bfloat16")
    assert (x * 2).astype("float32").asnumpy().tolist() == [2, 5, -6]
    assert x.sum().astype("float32").asscalar() == 0.5
    assert mx.nd.dot(x, x).astype("float32").asscalar() == 16.25


def test_dlpack_shares_memory(x):
    cupy = load_cupy()
    other = cupy.from_dlpack(x)
    other[0, 0] = 42
    assert x[0, 0].asscalar() == 42
    back = mx.nd.from_dlpack(other)
    back[0, 1] = 43
    assert back.context == GPU and x[0, 1].asscalar() == 43
    assert x.__dlpack_device__() == (2, 0)


def test_cuda_array_interface(x):
    found = x.__cuda_array_interface__
    assert found["shape"] == (3, 4) and found["data"][0] == x._data.data.ptr
    assert not hasattr(mx.nd.ones(2), "__cuda_array_interface__")


def test_pinned_memory_is_uploaded_without_waiting(x):
    host = x.as_in_context(mx.cpu_pinned())
    assert host.context == mx.cpu_pinned()
    from baryon.backend import cuda

    assert cuda.is_pinned(host._data) and not cuda.is_pinned(np.zeros(2))
    again = host.as_in_context(GPU)
    assert (again.asnumpy() == x.asnumpy()).all()


def test_loader_pins_batches():
    data = mx.gluon.data.ArrayDataset(np.arange(8, dtype="float32"))
    for batch in mx.gluon.data.DataLoader(data, 4, pin_memory=True):
        assert batch.context == mx.cpu_pinned() and batch.as_in_context(GPU).context == GPU


def test_user_streams_and_pools_are_used(counts):
    cupy = load_cupy()
    pool = cupy.cuda.MemoryPool()
    with cupy.cuda.using_allocator(pool.malloc), cupy.cuda.Stream():
        x = mx.nd.ones((8, 8), ctx=GPU) * 2
    assert pool.allocations >= 2 and pool.used_bytes() >= x._data.nbytes
    assert not counts["synchronizations"]


def test_computing_does_not_wait(x, counts):
    y = mx.nd.softmax(mx.nd.dot(x, x.T)).mean()
    assert not counts["synchronizations"] and not counts["uploads"]
    y.wait_to_read()
    mx.nd.waitall()
    assert counts["synchronizations"] == 1 + mx.context.num_gpus()


def test_memory_of_a_gpu():
    free, total = mx.context.gpu_memory_info(0)
    assert 0 < free <= total
    GPU.empty_cache()


def test_absent_gpu_says_how_many_there_are():
    with pytest.raises(mx.MXNetError, match=r"gpu\(99\) does not exist; \d+ GPUs are usable"):
        mx.nd.ones(2, ctx=mx.gpu(99))
    with pytest.raises(mx.MXNetError, match=r"gpu\(99\) does not exist"):
        mx.context.gpu_memory_info(99)


def test_sparse_arrays(x):
    for stype in ("csr", "row_sparse"):
        y = x.tostype(stype)
        assert y.context == GPU and (y.asnumpy() == x.asnumpy()).all()
    product = mx.nd.dot(x.tostype("csr"), mx.nd.ones((4, 2), ctx=GPU))
    assert product.context == GPU and product.asnumpy()[:, 0].tolist() == [6, 22, 38]


def test_image_functions_of_the_cpu_say_so(x):
    image = mx.nd.zeros((4, 4, 3), ctx=GPU, dtype="uint8")
    with pytest.raises(mx.MXNetError, match="imresize runs on the CPU only"):
        mx.image.imresize(image, 2, 2)


PREPARED = {
    "add": lambda x, y: x + y,
    "broadcast": lambda x, y: mx.nd.broadcast_mul(x, y[:1]),
    "relu": lambda x, y: mx.nd.relu(x),
    "tanh": lambda x, y: mx.nd.tanh(x),
}


@pytest.mark.parametrize("dtype", ["float32", "float16"])
@pytest.mark.parametrize("name", PREPARED)
def test_pointwise_calls_are_one_prepared_launch(name, dtype, counts):
    """One kernel and one allocation, and few steps of Python; gradients as ever."""
    function = PREPARED[name]
    found = []
    for ctx in (mx.cpu(), GPU):
        mx.random.seed(1)
        x, y = (mx.nd.random.normal(shape=(3, 8)).as_in_context(ctx).astype(dtype) for _ in "xy")
        x.attach_grad()
        with mx.autograd.record():
            out = function(x, y)
        out.backward()
        found.append([out.astype("float32").asnumpy(), x.grad.astype("float32").asnumpy()])
    for want, got in zip(*found, strict=True):
        np.testing.assert_allclose(got, want, rtol=1e-3, atol=1e-3)
    frames: list[str] = []
    package = os.path.dirname(mx.__file__)

    def listen(frame, event, argument):
        if event == "call" and frame.f_code.co_filename.startswith(package):
            frames.append(frame.f_code.co_name)

    y = y[:1].copy()
    function = mx.nd.broadcast_mul if name == "broadcast" else function
    y = y if name == "broadcast" else x
    function(x, y)
    counts.clear()
    sys.setprofile(listen)
    try:
        function(x, y)
    finally:
        sys.setprofile(None)
    assert counts["allocations"] == 1 and counts["synchronizations"] == counts["uploads"] == 0
    assert len(frames) <= 15, frames
