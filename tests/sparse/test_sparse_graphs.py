"""Gradients of sparse arrays, executors over them, modules on csr data."""

import numpy as np
import pytest

import baryon as mx
from baryon import nd

A = np.array([[0, 1, 0, 2], [0, 0, 0, 0], [3, 0, 0, 0.5]], np.float32)
W = np.arange(8, dtype=np.float32).reshape(4, 2) + 1
V = mx.sym.var


def stored(x, stype):
    return nd.array(x).tostype(stype)


def rows(x):
    return x.indices.asnumpy().tolist()


# ---- autograd ------------------------------------------------------------------------------------


def embed(w):
    return nd.Embedding(nd.array([0, 2, 2]), w, input_dim=4, output_dim=2, sparse_grad=True)


def product(w):
    return nd.dot(stored(A, "csr"), w)


@pytest.mark.parametrize("call, touched", [(embed, [0, 2]), (product, [0, 1, 3])])
@pytest.mark.parametrize("stype", ["default", "row_sparse"])
def test_gradients_store_the_rows_that_were_read(call, touched, stype):
    """Also where they are zero, as in MXNet; and again when the structure is known."""
    dense = nd.array(W)
    dense.attach_grad()
    with mx.autograd.record():
        y = call(dense)
    y.backward()
    weight = stored(W, stype)
    weight.attach_grad(stype="row_sparse")
    for _ in range(3):
        with mx.autograd.record():
            y = call(weight)
        y.backward()
        assert (weight.grad.stype, rows(weight.grad)) == ("row_sparse", touched)
        np.testing.assert_allclose(weight.grad.asnumpy(), dense.grad.asnumpy())
    with mx.autograd.record():
        y = call(weight)
    y.backward(nd.zeros_like(y))
    assert rows(weight.grad) == touched and not weight.grad.asnumpy().any()


@pytest.mark.parametrize("stype", ["default", "row_sparse", "csr"])
def test_a_gradient_takes_the_storage_that_was_asked_for(stype):
    x = nd.array(W)
    x.attach_grad(stype=stype)
    with mx.autograd.record():
        y = (x * x).sum() + product(x).sum()
    y.backward()
    assert x.grad.stype == stype
    np.testing.assert_allclose(x.grad.asnumpy(), 2 * W + A.sum(0)[:, None])


def test_recorded_arrays_are_not_written():
    x = stored(A, "csr")
    x.attach_grad()
    with mx.autograd.record():
        y = x * 2
        for target in (x, y):
            with pytest.raises(mx.MXNetError, match="graph"):
                target[:] = A
        dense = nd.zeros((3, 4))
        x.copyto(dense)
    dense.backward()
    assert (x.grad.asnumpy() == 1).all()


def test_gradients_add_up():
    x = nd.array(W)
    x.attach_grad("add", stype="row_sparse")
    for _ in range(2):
        with mx.autograd.record():
            y = embed(x)
        y.backward()
    assert rows(x.grad) == [0, 2]
    np.testing.assert_array_equal(x.grad.asnumpy()[:, 0], [2, 0, 4, 0])
    with mx.autograd.record():
        y = embed(x) + product(x)
    y.backward()
    assert rows(x.grad) == [0, 1, 2, 3]


@pytest.mark.parametrize("stype", ["csr", "row_sparse"])
@pytest.mark.parametrize(
    "call",
    [
        lambda x: x.square(),
        lambda x: x * 3,
        lambda x: x + x,
        lambda x: x * x,
        lambda x: x.sin(),
        lambda x: x.tostype("default") * 2,
        lambda x: x.sum(axis=1),
        lambda x: x.norm(),
        lambda x: nd.elemwise_mul(x, nd.array(A + 1)),
        lambda x: nd.dot(x, nd.array(W)),
        lambda x: nd.dot(x, nd.array(W[:3]), transpose_a=True),
        lambda x: nd.slice(x, begin=(1,), end=(3,)),
        lambda x: nd.concat(x, x, dim=0),
    ],
)
def test_gradients_of_sparse_inputs(call, stype):
    grads = []
    for kind in ("default", stype):
        x = stored(A, kind)
        x.attach_grad()
        assert x.grad.stype == kind
        with mx.autograd.record():
            y = call(x)
        y.backward()
        grads.append(x.grad.asnumpy())
    np.testing.assert_allclose(grads[1], grads[0], rtol=1e-6)


def test_gradients_of_retain_and_square_sum():
    x = stored(A, "row_sparse")
    x.attach_grad()
    with mx.autograd.record():
        y = nd.sparse.retain(x, nd.array([0, 1]))
    y.backward()
    assert rows(x.grad) == [0, 1] and (x.grad.data.asnumpy() == 1).all()
    with mx.autograd.record():
        y = nd._internal._square_sum(x, axis=1, keepdims=True)
    y.backward()
    assert rows(x.grad) == [0, 2]
    np.testing.assert_array_equal(x.grad.asnumpy(), 2 * A)


def test_grad_and_detach():
    x = stored(W, "row_sparse")
    x.attach_grad()
    with mx.autograd.record():
        y = product(x)
        constant = x.detach() * 2
    assert constant.stype == "row_sparse"
    (found,) = mx.autograd.grad(y, x)
    np.testing.assert_allclose(found.asnumpy(), np.tile(A.sum(0)[:, None], 2))


@pytest.mark.parametrize("stype", ["default", "row_sparse"])
def test_functions_of_users(stype):
    class Twice(mx.autograd.Function):
        def forward(self, x):
            return x * 2

        def backward(self, dy):
            return (dy * 2).tostype("row_sparse")

    x = stored(A, stype)
    x.attach_grad(stype="row_sparse")
    for _ in range(2):
        with mx.autograd.record():
            y = Twice()(x)
        y.backward()
        assert (y.stype, x.grad.stype) == (stype, "row_sparse")
        assert (x.grad.asnumpy() == 2).all()


# ---- executors -----------------------------------------------------------------------------------


# Storage that MXNet's simple_bind gives arguments, gradients and outputs.
BOUND = [
    (lambda: mx.sym.Embedding(V("d"), V("w"), input_dim=4, output_dim=2, sparse_grad=True), {},
     {"d": (3,)}, "default default", "default row_sparse", "default"),
    (lambda: mx.sym.Embedding(V("d"), V("w", stype="row_sparse"), input_dim=4, output_dim=2), {},
     {"d": (3,)}, "default row_sparse", "default default", "default"),
    (lambda: mx.sym.sparse.dot(V("d", stype="csr"), V("w")), {},
     {"d": (3, 4), "w": (4, 2)}, "csr default", "default row_sparse", "default"),
    (lambda: mx.sym.dot(V("d"), V("w")), {"d": "csr", "w": "row_sparse"},
     {"d": (3, 4), "w": (4, 2)}, "csr row_sparse", "default row_sparse", "default"),
    (lambda: mx.sym.square(V("d")), {"d": "csr"}, {"d": (3, 4)}, "csr", "csr", "csr"),
    (lambda: V("a") + V("b"), {"a": "csr", "b": "csr"}, {"a": (3, 4), "b": (3, 4)},
     "csr csr", "csr csr", "csr"),
]  # fmt: skip


@pytest.mark.parametrize("make, stypes, shapes, args, grads, outs", BOUND)
def test_simple_bind(make, stypes, shapes, args, grads, outs):
    exe = make().simple_bind(mx.cpu(), stype_dict=stypes, **shapes)
    assert [x.stype for x in exe.arg_arrays] == args.split()
    assert [x.stype for x in exe.grad_arrays] == grads.split()
    assert [x.stype for x in exe.outputs] == outs.split()
    assert [x.stype for x in exe.forward(is_train=True)] == outs.split()
    exe.backward([nd.ones(x.shape) for x in exe.outputs])


def test_executor_computes():
    net = mx.sym.LinearRegressionOutput(mx.sym.dot(V("d"), V("w")) + V("b"), V("l"))
    shapes = {"d": (3, 4), "w": (4, 2), "b": (3, 2), "l": (3, 2)}
    exe = net.simple_bind(mx.cpu(), stype_dict={"d": "csr", "w": "row_sparse"}, **shapes)
    exe.arg_dict["w"][:] = W
    label = np.full((3, 2), 0.5, np.float32)
    for scale in (1, 2):
        out = exe.forward(is_train=True, d=stored(scale * A, "csr"), l=nd.array(label))[0]
        want = scale * A @ W
        np.testing.assert_allclose(out.asnumpy(), want, rtol=1e-6)
        exe.backward()
        gradient = (scale * A).T @ (want - label) / 2
        assert (exe.grad_dict["w"].stype, rows(exe.grad_dict["w"])) == ("row_sparse", [0, 1, 3])
        np.testing.assert_allclose(exe.grad_dict["w"].asnumpy(), gradient, rtol=1e-5)
    assert exe.forward(is_train=True)[0] is out  # an array that holds the newest values
    seen = {}
    exe.set_monitor_callback(lambda name, x: seen.update({name: x.stype}))
    exe.forward(d=A)
    assert len(seen) == 3
    again = exe.reshape(d=(5, 4), w=(4, 2), b=(5, 2), l=(5, 2), allow_up_sizing=True)
    assert again.arg_dict["d"].stype == "csr" and again.arg_dict["w"] is exe.arg_dict["w"]
    with pytest.raises(mx.MXNetError, match="plan"):
        exe.memory_plan()


def test_dropout_is_the_same_forward_and_backward():
    net = mx.sym.Dropout(mx.sym.dot(V("d"), V("w")), p=0.5)
    exe = net.simple_bind(mx.cpu(), stype_dict={"d": "csr"}, d=(3, 4), w=(4, 2))
    exe.arg_dict["w"][:] = 1
    out = exe.forward(is_train=True, d=A)[0]
    mask = (out.asnumpy() != 0) * 2.0
    exe.backward(nd.ones((3, 2)))
    np.testing.assert_allclose(exe.grad_dict["w"].asnumpy(), A.T @ mask)


# ---- modules -------------------------------------------------------------------------------------


def linear_model():
    data = V("data", stype="csr")
    weight = V("weight", stype="row_sparse", shape=(6, 2))
    bias = V("bias", shape=(2,))
    net = mx.sym.broadcast_add(mx.sym.sparse.dot(data, weight), bias)
    return mx.sym.SoftmaxOutput(net, name="softmax")


@pytest.mark.parametrize("optimizer, contexts", [("sgd", 2), ("adam", 1), ("ftrl", 1)])
def test_a_module_learns_from_csr_data(optimizer, contexts, tmp_path):
    rng = np.random.RandomState(3)
    x = (rng.rand(60, 6) * (rng.rand(60, 6) < 0.4)).astype(np.float32)
    y = (x[:, 0] + x[:, 1] > x[:, 2] + x[:, 3]).astype(np.float32)
    it = mx.io.NDArrayIter(stored(x, "csr"), y, 20, last_batch_handle="discard")
    module = mx.mod.Module(linear_model(), context=[mx.cpu(i) for i in range(contexts)])
    module.bind(it.provide_data, it.provide_label)
    module.init_params(mx.init.Normal(0.01))
    module.init_optimizer(optimizer=optimizer, optimizer_params={"learning_rate": 0.5})
    assert module._exec_group.execs[0].arg_dict["data"].stype == "csr"
    for _ in range(30):
        it.reset()
        for batch in it:
            module.prepare(batch, sparse_row_id_fn=lambda b: {"weight": b.data[0].indices})
            module.forward_backward(batch)
            module.update()
    assert module.score(it, "acc")[0][1] > 0.85
    module.save_checkpoint(str(tmp_path / "linear"), 1)
    _, args, _ = mx.model.load_checkpoint(str(tmp_path / "linear"), 1)
    assert args["weight"].stype == "row_sparse"
    again = mx.mod.Module.load(str(tmp_path / "linear"), 1)
    again.bind(it.provide_data, it.provide_label, for_training=False)
    assert again.score(it, "acc") == module.score(it, "acc")
