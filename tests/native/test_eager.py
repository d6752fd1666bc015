"""The eager fast path against the Python specification of the same calls."""

import gc
import sys
import threading

import numpy as np
import pytest

import baryon as mx
from baryon import autograd
from baryon.base import MXNetError
from baryon.graph.tape import TapeNode
from baryon.native import native
from baryon.ndarray.invoke import invoke
from baryon.ops.op import get

pytestmark = pytest.mark.skipif(native is None, reason="needs the native engine")


def array(*shape, dtype="float32", seed=0):
    values = np.random.default_rng(seed).normal(size=shape) * 3
    return mx.nd.array(values.astype(dtype), dtype=dtype)


CALLS = [
    ("relu", [(3, 4)], {}),
    ("broadcast_add", [(3, 1), (1, 4)], {}),
    ("broadcast_add", [(), (2,)], {}),
    ("relu", [(0, 3)], {}),
    ("_plus_scalar", [(5,)], {"scalar": 2.5}),
    ("sum", [(2, 3, 4)], {"axis": (0, 2), "keepdims": True}),
    ("softmax", [(4, 5)], {"axis": -1}),
    ("Concat", [(2, 3), (2, 4), (2, 1)], {"dim": 1}),
    ("SliceChannel", [(2, 6)], {"num_outputs": 3}),
    ("FullyConnected", [(2, 3), (4, 3)], {"num_hidden": 4, "no_bias": True}),
    ("Dropout", [(3, 4)], {"p": 0.5}),
    ("dot", [(300, 200), (200, 100)], {}),
]


@pytest.mark.parametrize("name, shapes, attrs", CALLS)
@pytest.mark.parametrize("dtype", ["float32", "float64", "float16"])
def test_agrees_with_the_specification(name, shapes, attrs, dtype):
    inputs = tuple(array(*s, dtype=dtype, seed=i) for i, s in enumerate(shapes))
    wanted = invoke(get(name), inputs, attrs)
    for _ in range(2):  # planned anew, then from the table
        got = native.invoke(get(name), inputs, attrs)
        assert isinstance(got, list) == isinstance(wanted, list)
        pairs = zip(got, wanted, strict=True) if isinstance(got, list) else [(got, wanted)]
        for g, w in pairs:
            assert type(g) is mx.nd.NDArray and g._data.dtype == w._data.dtype
            assert g._node is None and g.context == mx.cpu()
            np.testing.assert_array_equal(g.asnumpy(), w.asnumpy())


def test_shapes_and_types_have_plans_of_their_own():
    for dtype in ("float32", "float64", "int32"):
        for shape in ((2, 3), (3, 2), (6,), (1, 6)):
            x = array(*shape, dtype=dtype)
            got = x + x
            assert got.shape == shape and got._data.dtype == dtype
            np.testing.assert_array_equal(got.asnumpy(), 2 * x.asnumpy())


def test_arithmetic_with_numbers():
    x = mx.nd.array([1.0, -2.0])
    for value in (0, 1, 1.0, True, -0.5, np.float32(2), np.int64(3), 1e30, 2**60):
        np.testing.assert_allclose((x + value).asnumpy(), x.asnumpy() + np.float32(value))
        np.testing.assert_allclose((value - x).asnumpy(), np.float32(value) - x.asnumpy())
    with pytest.raises(TypeError):
        x + "text"
    with pytest.raises(TypeError):
        x + None


def test_errors_are_the_specifications():
    with pytest.raises(MXNetError, match="broadcast_add.*do not broadcast"):
        array(2, 3) + array(2, 4)
    with pytest.raises(MXNetError, match="data types differ|dtype"):
        array(2) + array(2, dtype="float64")
    with pytest.raises(MXNetError, match="no_such"):
        mx.nd.relu(array(2), no_such=1)
    with pytest.raises(MXNetError, match="num_hidden"):
        native.invoke(get("FullyConnected"), (array(2, 3), array(4, 3), array(4)), None)
    with pytest.raises(TypeError, match="invoke"):
        native.invoke(get("relu"), [array(2)])


def test_unusual_arguments_go_to_python():
    class Mine(mx.nd.NDArray):
        pass

    x = Mine(np.array([-1.0, 2.0], "f"))
    np.testing.assert_array_equal(mx.nd.relu(x).asnumpy(), [0, 2])
    y = mx.nd.zeros(2)
    assert mx.nd.relu(x, out=y) is y
    np.testing.assert_array_equal(y.asnumpy(), [0, 2])
    np.testing.assert_array_equal(mx.nd.relu(data=x).asnumpy(), [0, 2])
    np.testing.assert_array_equal(mx.nd.sum(array(2, 3), axis=[0, 1]).shape, (1,))


def test_records_only_what_depends_on_a_variable():
    x, y = array(2, 3), array(2, 3, seed=1)
    assert (x * y)._node is None
    with autograd.record():
        assert (x * y)._node is None
        x.attach_grad()
        z = x * y
        parts = mx.nd.split(z, num_outputs=3, axis=1)
    node = z._node
    assert type(node) is TapeNode and node.parents == (x._node, None) and node.indices == (0, 0)
    assert node.saved[1] is y._data and node.saved[2] is None
    assert [p._index for p in parts] == [0, 1, 2]
    assert all(p._node is parts[0]._node for p in parts)
    with autograd.record():
        w = parts[2] + parts[1]
    assert w._node.indices == (2, 1)
    with autograd.record(), autograd.pause():
        assert (x * y)._node is None


def test_flags_belong_to_threads():
    seen = []
    with autograd.record():
        assert native.is_recording() and native.is_training()
        thread = threading.Thread(
            target=lambda: seen.append((native.is_recording(), native.is_training()))
        )
        thread.start()
        thread.join()
    assert seen == [(False, False)] and not native.is_recording()


def test_train_mode_is_part_of_the_call():
    x = mx.nd.ones((1000,))
    assert (mx.nd.Dropout(x).asnumpy() == 1).all()
    with autograd.train_mode():
        assert (mx.nd.Dropout(x).asnumpy() == 0).any()
    assert (mx.nd.Dropout(x).asnumpy() == 1).all()


def test_threads_compute_at_the_same_time():
    wrong = []

    def work(seed):
        small, large = array(8, 8, seed=seed), array(300, 400, seed=seed)
        a, b = small.asnumpy() * 2, large.asnumpy() * 2
        for _ in range(100):
            if not ((small + small).asnumpy() == a).all():
                wrong.append(seed)
            if not ((large + large).asnumpy() == b).all():
                wrong.append(seed)

    threads = [threading.Thread(target=work, args=(i,)) for i in range(4)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert not wrong


def test_nothing_leaks():
    x = array(4, 4)
    x.attach_grad()

    def calls():
        with autograd.record():
            y = mx.nd.relu(x + 1.0) * x
            mx.nd.split(y, num_outputs=2)
        for bad in (lambda: x + array(3), lambda: mx.nd.relu(x, no_such=1)):
            with pytest.raises(MXNetError):
                bad()

    for _ in range(3):
        calls()
    gc.collect()
    objects, refs = len(gc.get_objects()), sys.getrefcount(x._data)
    for _ in range(200):
        calls()
    gc.collect()
    assert sys.getrefcount(x._data) < refs + 10
    assert len(gc.get_objects()) < objects + 100


def test_many_plans_stay_bounded_and_right():
    op = get("relu")
    for n in range(20_000):
        x = mx.nd.NDArray(np.zeros((1, n % 9999 + 1), "f")[:, : n % 9999 + 1])
        got = native.invoke(op, (x,), None)
        assert got.shape == x.shape


def test_call_objects_look_like_functions():
    function = native.function(get("relu"), invoke)
    assert function.__name__ == "invoke" and function.__doc__ == invoke.__doc__
    assert function.__wrapped__ is invoke
    function.note = 1
    assert function.note == 1

    class Holder:
        call = native.method(None, None, lambda self, other: (self, other))

    holder = Holder()
    assert holder.call(5) == (holder, 5)
    with pytest.raises(AttributeError, match="_memo"):
        native.method(1, 2, 3)
