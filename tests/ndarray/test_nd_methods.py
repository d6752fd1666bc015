"""Properties, conversions, arithmetic and helpers of arrays, against numpy and MXNet's answers."""

import copy
import threading

import numpy as np
import pytest

import baryon as mx
from baryon import autograd, nd


def test_properties_and_repr():
    x = nd.array([[1, 2, 3], [4, 5, 6]])
    assert (x.shape, x.size, x.ndim, x.stype) == ((2, 3), 6, 2, "default")
    assert x.dtype is np.float32
    assert x.ctx == x.context == mx.cpu()
    assert repr(x) == "\n[[1. 2. 3.]\n [4. 5. 6.]]\n<NDArray 2x3 @cpu(0)>"
    assert (x.T.asnumpy() == x.asnumpy().T).all()
    assert x.grad is None
    assert x.tostype("default").asnumpy().tolist() == x.asnumpy().tolist()
    with pytest.raises(mx.MXNetError, match="stype"):
        x.tostype("dense")


def test_scalars():
    x = nd.array([2.5])
    assert (float(x), int(x), x.item()) == (2.5, 2, 2.5)
    assert isinstance(x.asscalar(), np.float32)
    assert bool(x)
    assert not nd.zeros(1)
    assert [10, 20, 30][nd.array([1], dtype="int32")] == 20
    pair = nd.array([1, 2])
    for convert in (float, int):
        with pytest.raises(TypeError):
            convert(pair)
    for convert in (bool, nd.NDArray.asscalar):
        with pytest.raises(ValueError):
            convert(pair)
    with pytest.raises(TypeError):
        [10, 20][x]


def test_arrays_are_hashable_by_identity():
    x, y = nd.ones(2), nd.ones(2)
    assert len({x: 1, y: 2}) == 2


OPERATORS = {
    "add": lambda a, b: a + b,
    "sub": lambda a, b: a - b,
    "mul": lambda a, b: a * b,
    "div": lambda a, b: a / b,
    "mod": lambda a, b: a % b,
    "pow": lambda a, b: a**b,
    "eq": lambda a, b: a == b,
    "ne": lambda a, b: a != b,
    "lt": lambda a, b: a < b,
    "le": lambda a, b: a <= b,
    "gt": lambda a, b: a > b,
    "ge": lambda a, b: a >= b,
}


@pytest.mark.parametrize("name", OPERATORS)
@pytest.mark.parametrize("shapes", [((2, 3), (2, 3)), ((2, 3), (3,)), ((2, 1), (1, 3))])
def test_operators(name, shapes):
    rng = np.random.default_rng(0)
    a, b = (rng.integers(1, 5, s).astype(np.float32) for s in shapes)
    call = OPERATORS[name]
    np.testing.assert_allclose(call(nd.array(a), nd.array(b)).asnumpy(), call(a, b), rtol=1e-6)
    for number in (2, 2.0, np.float32(2), np.int64(2), True):
        x = nd.array(a)
        np.testing.assert_allclose(call(x, number).asnumpy(), call(a, float(number)), rtol=1e-6)
        np.testing.assert_allclose(call(number, x).asnumpy(), call(float(number), a), rtol=1e-6)


def test_unary_operators():
    x = nd.array([-1.5, 2])
    assert (-x).asnumpy().tolist() == [1.5, -2]
    assert abs(x).asnumpy().tolist() == [1.5, 2]


@pytest.mark.parametrize("name", ["add", "sub", "mul", "div", "mod", "pow"])
def test_in_place_operators_keep_memory(name):
    import operator

    in_place = getattr(operator, {"div": "itruediv"}.get(name, f"i{name}"))
    x = nd.array([[5, 6, 7], [8, 9, 10]])
    view, want = x[1], OPERATORS[name](x.asnumpy(), np.float32(3))
    y = in_place(x, 3)
    assert y is x
    np.testing.assert_allclose(x.asnumpy(), want, rtol=1e-6)
    np.testing.assert_allclose(view.asnumpy(), want[1], rtol=1e-6)
    row = nd.array([1, 2, 3])
    want = OPERATORS[name](want, row.asnumpy())
    np.testing.assert_allclose(in_place(x, row).asnumpy(), want, rtol=1e-5)
    with pytest.raises(mx.MXNetError, match="shape"):
        in_place(row, x)


@pytest.mark.parametrize("other", [None, "text", [1, 2], np.ones(2), {"a": 1}], ids=repr)
def test_foreign_operands_raise(other):
    x = nd.ones(2)
    for call in ("add", "sub", "mul", "div", "lt"):
        with pytest.raises(TypeError):
            OPERATORS[call](x, other)
        with pytest.raises(TypeError):
            OPERATORS[call](other, x)
    with pytest.raises(TypeError):
        x += other


def test_mixed_dtypes_raise():
    with pytest.raises(mx.MXNetError, match="int32.*float32|float32.*int32"):
        nd.ones(2) + nd.ones(2, dtype="int32")


def test_reshape_codes():
    x = nd.zeros((2, 3, 4))
    shapes = {
        (-1,): (24,), (0, -1): (2, 12), (0, -3): (2, 12), (-4, 1, 2, -2): (1, 2, 3, 4),
        (0, 0, 0, 1): (2, 3, 4, 1), (-2, 1): (2, 3, 4, 1), (6, 4): (6, 4),
    }  # fmt: skip
    for given, want in shapes.items():
        assert x.reshape(given).shape == want
        assert x.reshape(*given).shape == want
        assert x.reshape(shape=given).shape == want
    assert nd.zeros((10, 5, 4)).reshape((-1, 0), reverse=True).shape == (50, 4)
    for bad in ((5, 5), (0, 0, 0, 0)):
        with pytest.raises(mx.MXNetError):
            x.reshape(bad)
    with pytest.raises(ValueError):
        x.reshape()
    with pytest.raises(TypeError, match="colour"):
        x.reshape((24,), colour=1)


def test_shape_methods():
    x = nd.ones((2, 1, 3))
    assert x.expand_dims(0).shape == (1, 2, 1, 3)
    assert x.flatten().shape == (2, 3)
    assert x.squeeze().shape == (2, 3)
    assert x.squeeze(axis=1).shape == (2, 3)
    assert x.broadcast_to((2, 4, 3)).shape == (2, 4, 3)
    assert nd.ones(3).broadcast_to((2, 3)).shape == (2, 3)
    assert nd.ones((1, 3)).broadcast_like(nd.ones((4, 3))).shape == (4, 3)
    assert x.transpose((2, 0, 1)).shape == (3, 2, 1)
    assert x.swapaxes(0, 2).shape == (3, 1, 2)
    assert [p.shape for p in nd.ones((2, 3)).split(3, axis=1)] == [(2, 1)] * 3
    assert [p.shape for p in nd.ones((5, 2)).split_v2((1, 4))] == [(1, 2), (3, 2), (1, 2)]
    with pytest.raises(mx.MXNetError, match="broadcast"):
        nd.ones((2, 3)).broadcast_to((4, 3))


def test_generated_methods_are_the_operators():
    a = np.random.default_rng(0).uniform(0.1, 0.9, (2, 3)).astype(np.float32)
    x = nd.array(a)
    np.testing.assert_allclose(x.exp().asnumpy(), np.exp(a), rtol=1e-6)
    np.testing.assert_allclose(x.sum(axis=1).asnumpy(), a.sum(1), rtol=1e-6)
    np.testing.assert_allclose(x.mean().asnumpy(), [a.mean()], rtol=1e-6)
    np.testing.assert_allclose(x.max(0).asnumpy(), a.max(0))
    np.testing.assert_allclose(x.clip(0.2, 0.5).asnumpy(), a.clip(0.2, 0.5))
    np.testing.assert_allclose(x.log_softmax().exp().sum(1).asnumpy(), [1, 1], rtol=1e-5)
    assert x.argmax(axis=1).asnumpy().tolist() == a.argmax(1).tolist()
    assert x.exp.__name__ == "exp"
    assert "data" not in str(__import__("inspect").signature(x.sum))


def test_astype_copy_and_copyto():
    x = nd.array([1.7, 2])
    assert x.astype("float32") is not x
    assert x.astype("float32", copy=False) is x
    assert x.astype("int32").asnumpy().tolist() == [1, 2]
    y = x.copy()
    y[:] = 0
    assert x.asnumpy().sum() > 0
    z = nd.zeros(2, dtype="int32")
    assert x.copyto(z) is z
    assert z.asnumpy().tolist() == [1, 2]
    moved = x.copyto(mx.cpu(1))
    assert moved.context == mx.cpu(1)
    assert x.as_in_context(mx.cpu()) is x
    assert x.as_in_ctx(mx.cpu(1)).context == mx.cpu(1)
    with pytest.raises(mx.MXNetError, match=r"\(2,\) and \(3,\)"):
        x.copyto(nd.zeros(3))
    with pytest.raises(TypeError):
        x.copyto([1, 2])
    with pytest.warns(RuntimeWarning, match="itself"):
        x.copyto(x)
    duplicate = copy.deepcopy(x)
    duplicate[:] = 9
    assert x.asnumpy()[1] == 2


def test_gradient_methods():
    x = nd.array([1.0, 2.0])
    x.attach_grad()
    assert x.grad.asnumpy().tolist() == [0, 0]
    with autograd.record():
        y = (x * x).copy().as_in_context(mx.cpu(1)).as_in_context(mx.cpu())
        constant = (x * x).detach()
    y.backward(nd.array([1.0, 10.0]))
    assert x.grad.asnumpy().tolist() == [2, 40]
    assert y.grad is None
    with pytest.raises(mx.MXNetError):
        constant.backward()


@pytest.mark.parametrize(
    "name, plain",
    [
        ("add", np.add), ("subtract", np.subtract), ("multiply", np.multiply),
        ("divide", np.divide), ("modulo", np.mod), ("power", np.power), ("maximum", np.maximum),
        ("minimum", np.minimum), ("equal", np.equal), ("not_equal", np.not_equal),
        ("greater", np.greater), ("greater_equal", np.greater_equal), ("lesser", np.less),
        ("lesser_equal", np.less_equal), ("logical_and", np.logical_and),
        ("logical_or", np.logical_or), ("logical_xor", np.logical_xor),
    ],
)  # fmt: skip
def test_functions_of_two_operands(name, plain):
    function = getattr(nd, name)
    a, b = np.float32([[1, 2, 3], [4, 5, 6]]), np.float32([2, 2, 2])
    x, y = nd.array(a), nd.array(b)
    np.testing.assert_allclose(function(x, y).asnumpy(), plain(a, b), rtol=1e-6)
    np.testing.assert_allclose(function(x, 2).asnumpy(), plain(a, 2), rtol=1e-6)
    np.testing.assert_allclose(function(2, x).asnumpy(), plain(2.0, a), rtol=1e-6)
    assert function(5, 2) == plain(5, 2)
    with pytest.raises(TypeError, match=name):
        function(x, "text")


def test_helpers():
    x = nd.zeros((2, 3, 4))
    assert nd.moveaxis(x, 0, -1).shape == (3, 4, 2)
    assert nd.moveaxis(x, (0, 1), (-1, 0)).shape == (3, 4, 2)
    with pytest.raises(ValueError):
        nd.moveaxis(x, (0, 1), (0,))
    with pytest.raises(ValueError):
        nd.moveaxis(x, 3, 0)
    single = nd.ones(2)
    assert nd.concatenate([single], always_copy=False) is single
    assert nd.concatenate([single, nd.zeros(1)]).asnumpy().tolist() == [1, 1, 0]
    out = nd.zeros((2, 3))
    assert nd.onehot_encode(nd.array([1, 0]), out) is out
    assert out.asnumpy().tolist() == [[0, 1, 0], [1, 0, 0]]
    counts, edges = nd.histogram(nd.arange(5), 3)
    assert counts.asnumpy().tolist() == [2, 1, 2]
    np.testing.assert_allclose(edges.asnumpy(), np.linspace(0, 4, 4), rtol=1e-6)
    with pytest.raises(ValueError, match="equal division"):
        nd.split_v2(nd.zeros(5), 2)
    nd.waitall()
    mx.waitall()
    x.wait_to_read()


def test_contexts():
    assert mx.cpu() == mx.cpu(0) != mx.cpu(1)
    assert mx.cpu() != 1
    assert hash(mx.gpu(1)) == hash(mx.Context("gpu", 1))
    assert mx.Context(mx.gpu(3)).device_id == 3
    assert mx.cpu_pinned().device_type == "cpu_pinned"
    assert mx.context.Context.from_string("gpu(2)") == mx.gpu(2)
    assert mx.context.Context.from_string("cpu") == mx.cpu(0)  # as operators' defaults have it
    for bad in ("tpu", "cpu(x)"):
        with pytest.raises(mx.MXNetError):
            mx.context.Context.from_string(bad)
    with pytest.raises(mx.MXNetError, match="tpu"):
        mx.Context("tpu")
    seen = []
    with mx.gpu(1), mx.gpu(2):
        assert mx.current_context() == mx.Context.default_ctx == mx.gpu(2)
        thread = threading.Thread(target=lambda: seen.append(mx.current_context()))
        thread.start()
        thread.join()
    assert seen == [mx.cpu()]
    assert mx.current_context() == mx.cpu()


def test_scopes_of_names_and_attributes():
    manager = mx.name.NameManager()
    assert [manager.get(None, "a"), manager.get(None, "a"), manager.get("q", "a")] == [
        "a0", "a1", "q"
    ]  # fmt: skip
    with mx.name.Prefix("p_") as prefix:
        assert mx.name.NameManager.current is prefix
        assert prefix.get(None, "a") == "p_a0"
        assert prefix.get("b", "a") == "p_b"
    with mx.AttrScope(a="1", __b__="2"), mx.AttrScope(a="3"):
        assert mx.AttrScope.current.get({"z": "1"}) == {"a": "3", "__b__": "2", "z": "1"}
    assert mx.AttrScope.current.get(None) == {}
    with pytest.raises(ValueError, match="string"):
        mx.AttrScope(a=1)


def test_out_must_fit():
    x = nd.ones((2, 3))
    for out, what in ((nd.zeros((3, 2)), "shape"), (nd.zeros((2, 3), dtype="int32"), "dtype")):
        with pytest.raises(mx.MXNetError, match=f"relu: out has {what}"):
            nd.relu(x, out=out)
    double = nd.zeros((2, 3), dtype="float64")
    assert nd.random.uniform(1, 2, shape=(2, 3), out=double) is double
    assert double.asnumpy().min() >= 1
