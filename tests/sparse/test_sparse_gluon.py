"""Sparse Parameters and gradients in Gluon, and stores of sparse arrays."""

import numpy as np
import pytest

import baryon as mx
from baryon import compiled, gluon, nd


def parameter(**kwargs):
    made = gluon.Parameter("w", shape=(4, 2), **{"stype": "row_sparse", **kwargs})
    made.initialize(mx.init.One())
    return made


def step(net, trainer, x):
    with mx.autograd.record():
        loss = (net(x) * nd.array([[1, 2]])).sum()
    loss.backward()
    trainer.step(1)
    return loss.asscalar()


def test_row_sparse_parameters_give_rows():
    p = parameter(grad_stype="row_sparse")
    with pytest.raises(RuntimeError, match="row_sparse_data"):
        p.data()
    with pytest.raises(RuntimeError, match="list_row_sparse_data"):
        p.list_data()
    with pytest.raises(RuntimeError, match="Trainer"):
        p.row_sparse_data(nd.array([0]))
    assert p.grad().stype == "row_sparse"
    gluon.Trainer([p], "sgd")
    assert p.row_sparse_data(nd.array([1, 1, 0])).indices.asnumpy().tolist() == [0, 1]
    assert p.list_row_sparse_data(nd.array([3, 1]))[0].indices.asnumpy().tolist() == [1, 3]
    p.set_data(nd.full((4, 2), 3))
    assert p.row_sparse_data(nd.array([2])).asnumpy()[2].tolist() == [3, 3]
    with pytest.raises(RuntimeError, match=r"data\(\)"):
        parameter(stype="default").row_sparse_data(nd.array([0]))


def test_row_sparse_parameters_need_a_store_that_updates():
    for options, error in (
        ({"kvstore": None}, TypeError),
        ({"update_on_kvstore": False}, ValueError),
    ):
        trainer = gluon.Trainer([parameter()], "sgd", **options)
        with pytest.raises(error):
            trainer.step(1)


def embedding(kind, hybrid):
    if kind == "contrib":
        return gluon.contrib.nn.SparseEmbedding(4, 2)
    net = gluon.nn.Embedding(4, 2, sparse_grad=True)
    if hybrid:
        net.hybridize()
    return net


# Weights that MXNet 1.9.1 has after the two steps below: only rows of the gradient move.
TRAINED = [[0.89, 0.79], [0.89, 0.79], [1, 1], [0.6821, 0.3931]]


@pytest.mark.parametrize("contexts", [1, 2])
@pytest.mark.parametrize("kind, hybrid", [("nn", False), ("nn", True), ("contrib", False)])
def test_embeddings_train_lazily(kind, hybrid, contexts, tmp_path):
    net = embedding(kind, hybrid)
    net.initialize(mx.init.One(), ctx=[mx.cpu(i) for i in range(contexts)])
    options = {"learning_rate": 0.1, "wd": 0.1, "momentum": 0.9}
    trainer = gluon.Trainer(net.collect_params(), "sgd", options)
    for rows, loss in (([1, 3], 6), ([0, 3], 5.47)):
        if contexts == 1:
            assert step(net, trainer, nd.array(rows)) == pytest.approx(loss)
            assert net.weight.grad().indices.asnumpy().tolist() == rows
            continue
        with mx.autograd.record():
            losses = [
                (net(nd.array([r], ctx=mx.cpu(i))) * nd.array([[1, 2]], ctx=mx.cpu(i))).sum()
                for i, r in enumerate(rows)
            ]
        mx.autograd.backward(losses)
        trainer.step(1)
    net.save_parameters(str(tmp_path / "net.params"))
    other = embedding(kind, hybrid)
    other.load_parameters(str(tmp_path / "net.params"))
    for trained in (net, other):
        gluon.Trainer(trained.collect_params(), "sgd")
        everything = nd.arange(4)
        weight = trained.weight
        found = weight.data(mx.cpu(0)) if kind == "nn" else weight.row_sparse_data(everything)
        np.testing.assert_allclose(found.asnumpy(), TRAINED, rtol=1e-5)
    net.weight.zero_grad()
    assert net.weight.grad(mx.cpu(0)).indices.shape == (0,)


def test_a_dense_parameter_with_a_sparse_gradient_updates_itself():
    """MXNet prefers so on several contexts; `allreduce_grads` can be called then."""
    p = parameter(stype="default", grad_stype="row_sparse")
    p.reset_ctx([mx.cpu(0), mx.cpu(1)])
    trainer = gluon.Trainer([p], "sgd", {"learning_rate": 0.5})
    with mx.autograd.record():
        outs = [
            nd.Embedding(nd.array([i]), w, input_dim=4, output_dim=2, sparse_grad=True)
            for i, w in enumerate(p.list_data())
        ]
    mx.autograd.backward(outs)
    trainer.allreduce_grads()
    for grad in p.list_grad():
        assert grad.indices.asnumpy().tolist() == [0, 1]
    trainer.update(1)
    for weight in p.list_data():
        assert weight.asnumpy()[:, 0].tolist() == [0.5, 0.5, 1, 1]


def test_csr_data_through_a_hybrid_block():
    class Linear(gluon.HybridBlock):
        def __init__(self):
            super().__init__()
            self.weight = self.params.get("weight", shape=(5, 2), grad_stype="row_sparse")

        def hybrid_forward(self, F, x, weight):
            return F.sparse.dot(x, weight)

    x = nd.sparse.csr_matrix(([1.0, 2.0], ([0, 2], [1, 4])), shape=(3, 5))
    for hybrid in (False, True):
        net = Linear()
        net.initialize(mx.init.One())
        net.hybridize(hybrid)
        for _ in range(2):
            with mx.autograd.record():
                y = net(x)
            y.backward()
            assert y.asnumpy()[:, 0].tolist() == [1, 0, 2]
            assert net.weight.grad().indices.asnumpy().tolist() == [1, 4]


def test_clipping_by_the_norm_of_all():
    rows, dense = nd.sparse.row_sparse_array(([[3, 4]], [1]), shape=(3, 2)), nd.array([12.0])
    assert gluon.utils.clip_global_norm([rows, dense], 6.5) == pytest.approx(13)
    assert rows.stype == "row_sparse"
    np.testing.assert_allclose(rows.asnumpy()[1], [1.5, 2], rtol=1e-5)
    parts = gluon.utils.split_data(nd.array(np.eye(4)).tostype("csr"), 2)
    assert [p.stype for p in parts] == ["csr", "csr"]


# ---- stores --------------------------------------------------------------------------------------


def rows_of(numbers, value=1.0):
    data = np.full((len(numbers), 2), value)
    return nd.sparse.row_sparse_array((data, numbers), shape=(4, 2), dtype="float32")


def test_pulling_rows():
    kv = mx.kv.create("local")
    values = np.arange(8, dtype=np.float32).reshape(4, 2) + 1
    kv.init("a", nd.array(values).tostype("row_sparse"))
    outs = [nd.sparse.zeros("row_sparse", (4, 2)) for _ in range(2)]
    kv.row_sparse_pull("a", out=outs, row_ids=[nd.array([2, 0, 2]), nd.array([1])])
    assert [o.indices.asnumpy().tolist() for o in outs] == [[0, 2], [1]]
    np.testing.assert_array_equal(outs[0].asnumpy(), values * [[1], [0], [1], [0]])
    dense = nd.zeros((4, 2))
    kv.pull("a", out=dense)
    np.testing.assert_array_equal(dense.asnumpy(), values)


def test_pushing_rows():
    kv = mx.kv.create("local")
    kv.init("a", nd.ones((4, 2)))
    kv.push("a", [rows_of([1]), rows_of([1, 2])])
    out = nd.sparse.zeros("row_sparse", (4, 2))
    kv.row_sparse_pull("a", out=out, row_ids=nd.arange(4))
    assert out.asnumpy()[:, 0].tolist() == [0, 2, 1, 0]
    kv = mx.kv.create("local")
    kv.init("w", nd.ones((4, 2)).tostype("row_sparse"))
    kv.set_optimizer(mx.optimizer.SGD(learning_rate=0.1, wd=0.1))
    kv.push("w", rows_of([1]))
    kv.row_sparse_pull("w", out=out, row_ids=nd.arange(4))
    np.testing.assert_allclose(out.asnumpy()[:, 0], [1, 0.89, 1, 1], rtol=1e-6)
    kv = mx.kv.create("device")
    kv.init("w", nd.ones((4, 2)))
    kv.set_gradient_compression({"type": "2bit"})
    with pytest.raises(mx.MXNetError, match="compressed"):
        kv.push("w", rows_of([1]))


class Words(gluon.HybridBlock):
    """A network of words: an embedding, and layers that know nothing of sparse arrays."""

    def __init__(self, sparse_grad):
        super().__init__(prefix="words_")
        with self.name_scope():
            self.embed = gluon.nn.Embedding(7, 4, sparse_grad=sparse_grad)
            self.layers = gluon.nn.HybridSequential()
            for _ in range(3):
                self.layers.add(gluon.nn.Dense(4, activation="tanh", flatten=False, in_units=4))
            self.drop = gluon.nn.Dropout(0.5)

    def hybrid_forward(self, F, x):
        return self.layers(self.embed(x)).sum(axis=1), F.BlockGrad(x) + 1


def test_only_what_sparse_arrays_reach_runs_call_by_call(monkeypatch):
    calls = []
    evaluate = compiled.evaluate
    monkeypatch.setattr(
        compiled,
        "evaluate",
        lambda heads, given: calls.append(len(heads)) or evaluate(heads, given),
    )
    rows = nd.array([[1, 3], [3, 5]])
    nets = [Words(True), Words(False), Words(True)]
    for net in nets:
        net.initialize(mx.init.Constant(0.1))
        net(rows)
    values = [p.data() for p in nets[0].collect_params().values()]
    values[0][:] = np.arange(28).reshape(7, 4) / 10
    for net in nets[1:]:
        for p, value in zip(net.collect_params().values(), values, strict=True):
            p.set_data(value)
    nets[0].hybridize()
    nets[1].hybridize()
    for _ in range(3):
        outs = []
        for net in nets:
            with mx.autograd.record():
                y, more = net(rows)
            y.backward()
            outs.append((y.asnumpy(), more.asnumpy()))
        for found in outs[1:]:
            np.testing.assert_allclose(found[0], outs[0][0], rtol=1e-5)
            np.testing.assert_array_equal(found[1], outs[0][1])
        for ps in zip(*(net.collect_params().values() for net in nets), strict=True):
            a, b, c = (p.grad().tostype("default").asnumpy() for p in ps)
            np.testing.assert_allclose(a, b, rtol=1e-5)
            np.testing.assert_allclose(a, c, rtol=1e-5)
    grad = nets[0].embed.weight.grad()
    assert grad.stype == "row_sparse" and grad.indices.asnumpy().tolist() == [1, 3, 5]
    assert calls == [1] * 3  # the embedding alone, of the first net alone
    nets[0](rows)
    assert calls == [1] * 3  # without recording there is nothing sparse
