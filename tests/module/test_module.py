"""`Module`: binding, parameters, training on one and several contexts, checkpoints, the loop."""

from __future__ import annotations

import logging
import warnings

import numpy as np
import pytest

import baryon as mx
from baryon import nd, sym

RNG = np.random.RandomState(0)
X, Y = RNG.rand(20, 5).astype("float32"), RNG.randint(0, 3, 20).astype("float32")


def mlp():
    x = sym.FullyConnected(sym.var("data"), num_hidden=8, name="fc1")
    x = sym.FullyConnected(sym.Activation(x, act_type="relu"), num_hidden=3, name="fc2")
    return sym.SoftmaxOutput(x, name="softmax")


def batch(n=6, start=0):
    rows = slice(start, start + n)
    return mx.io.DataBatch([nd.array(X[rows])], [nd.array(Y[rows])])


def ready(n=6, **options):
    """A module with known values and momentum."""
    bind = {k: options.pop(k) for k in ("inputs_need_grad", "grad_req") if k in options}
    kvstore = options.pop("kvstore", "local")
    module = mx.mod.Module(mlp(), **options)
    module.bind([("data", (n, 5))], [("softmax_label", (n,))], **bind)
    module.init_params(arg_params=values(), aux_params={})
    module.init_optimizer(kvstore=kvstore, optimizer_params={"learning_rate": 0.5, "momentum": 0.9})
    return module


def values():
    rng = np.random.RandomState(1)
    shapes = {"fc1_weight": (8, 5), "fc1_bias": (8,), "fc2_weight": (3, 8), "fc2_bias": (3,)}
    return {k: nd.array(rng.randn(*s)) for k, s in shapes.items()}


def params(module):
    return {k: v.asnumpy() for k, v in module.get_params()[0].items()}


def step(module, data=None):
    module.forward_backward(data or batch())
    module.update()


def assert_same(a, b, rtol=0.0):
    for name, x in params(a).items():
        np.testing.assert_allclose(x, params(b)[name], rtol=rtol, atol=rtol, err_msg=name)


def reference_steps(count):
    """Training by hand in float64."""
    v = {k: x.asnumpy().astype("float64") for k, x in values().items()}
    m = {k: 0.0 for k in v}
    x, y = X[:6].astype("float64"), np.eye(3)[Y[:6].astype(int)]
    for _ in range(count):
        h = x @ v["fc1_weight"].T + v["fc1_bias"]
        z = np.maximum(h, 0) @ v["fc2_weight"].T + v["fc2_bias"]
        p = np.exp(z - z.max(1, keepdims=True))
        dz = (p / p.sum(1, keepdims=True) - y) / 6
        dh = dz @ v["fc2_weight"] * (h > 0)
        g = {"fc2_weight": dz.T @ np.maximum(h, 0), "fc2_bias": dz.sum(0),
             "fc1_weight": dh.T @ x, "fc1_bias": dh.sum(0)}  # fmt: skip
        for k in v:
            m[k] = 0.9 * m[k] - 0.5 * g[k]
            v[k] = v[k] + m[k]
    return v


@pytest.mark.parametrize(
    "contexts", [mx.cpu(0), [mx.cpu(0), mx.cpu(1)], [mx.cpu(i) for i in range(3)]]
)
@pytest.mark.parametrize("kvstore", ["local", "device"])
def test_training_against_numpy(contexts, kvstore):
    module = ready(context=contexts, kvstore=kvstore)
    for _ in range(5):
        step(module)
    for name, want in reference_steps(5).items():
        np.testing.assert_allclose(params(module)[name], want, rtol=1e-4, atol=1e-5)


def test_contexts_divide_the_batch_by_work_load():
    module = ready(context=[mx.cpu(0), mx.cpu(1)], work_load_list=[1, 2], inputs_need_grad=True)
    step(module)
    alone = ready(inputs_need_grad=True)
    step(alone)
    assert [o.shape for o in module.get_outputs(merge_multi_context=False)[0]] == [(2, 3), (4, 3)]
    for a, b in zip(module.get_outputs() + module.get_input_grads(),
                    alone.get_outputs() + alone.get_input_grads(), strict=True):  # fmt: skip
        np.testing.assert_allclose(a.asnumpy(), b.asnumpy(), rtol=1e-5, atol=1e-7)
    assert module.output_shapes == [("softmax_output", (6, 3))]
    with pytest.raises(ValueError, match="Too many slices"):
        ready(n=2, context=[mx.cpu(i) for i in range(3)])


def test_gradient_compression_option():
    compression = {"type": "2bit", "threshold": 0.01}
    module = ready(context=[mx.cpu(0), mx.cpu(1)], kvstore="device", compression_params=compression)
    before = params(module)
    step(module)
    moved = np.abs(params(module)["fc2_bias"] - before["fc2_bias"])
    allowed = 0.5 / 6 * 0.01 * np.arange(3)  # two senders of 0 or one threshold each
    assert np.abs(moved[:, None] - allowed).min(1).max() < 1e-7


def test_batches_of_other_sizes_share_everything():
    module, plain = ready(), ready()
    step(module, batch(6))
    step(plain, batch(6))
    kept = module._exec_group.execs[0]
    module.forward(batch(4), is_train=False)
    assert module.get_outputs()[0].shape == (4, 3)
    assert module.data_shapes[0].shape == (4, 5) and module.label_shapes[0].shape == (4,)
    step(module, batch(6))
    step(plain, batch(6))
    assert module._exec_group.execs[0] is kept  # executors of shapes met before come back
    assert_same(module, plain)


def test_a_batch_without_label_of_another_size():
    module = ready()
    module.forward(mx.io.DataBatch([nd.array(X[:9])]), is_train=False)
    assert module.get_outputs()[0].shape == (9, 3)


def test_shapes_that_would_change_parameters_are_refused():
    module = ready()
    with pytest.raises(mx.MXNetError, match="fc1_weight"):
        module.forward(mx.io.DataBatch([nd.ones((6, 7))], [nd.zeros((6,))]))
    with pytest.raises(mx.MXNetError, match="1 data inputs, got 2"):
        module.forward(mx.io.DataBatch([nd.ones((6, 5))] * 2, [nd.zeros((6,))]))


def test_the_order_of_calls_is_checked():
    module = mx.mod.Module(mlp())
    with pytest.raises(AssertionError, match="bind"):
        module.init_params()
    with pytest.raises(AssertionError, match="bind"):
        module.forward(batch())
    module.bind([("data", (6, 5))], [("softmax_label", (6,))], for_training=False)
    module.init_params()
    with pytest.raises(AssertionError, match="for_training"):
        module.backward()
    with pytest.raises(AssertionError, match="init_optimizer"):
        module.update()


@pytest.mark.parametrize(
    "options", [{"data_names": ["x"]}, {"fixed_param_names": ["x"]}, {"state_names": ["x"]}]
)
def test_names_must_be_arguments(options):
    with pytest.raises(ValueError, match="'x' is not found"):
        mx.mod.Module(mlp(), **options)


def test_unknown_labels_only_warn():
    with pytest.warns(UserWarning, match="'x' is not found"):
        mx.mod.Module(mlp(), label_names=["x"])


def test_set_params():
    module = ready()
    given = {k: v * 0 + 2 for k, v in values().items()}
    with pytest.raises(RuntimeError, match="fc1_bias is not presented"):
        module.set_params({"fc1_weight": given["fc1_weight"]}, {})
    module.set_params({"fc1_weight": given["fc1_weight"]}, {}, allow_missing=True)
    assert params(module)["fc1_weight"].max() == 2 and params(module)["fc2_bias"].max() != 2
    with pytest.raises(ValueError, match="zz"):
        module.set_params({**given, "zz": nd.ones(1)}, {}, allow_missing=True)
    module.set_params({**given, "zz": nd.ones(1)}, {}, allow_missing=True, allow_extra=True)
    with pytest.raises(mx.MXNetError, match="shape"):
        module.set_params({**given, "fc1_weight": nd.ones((2,))}, {})


def test_init_params_only_once_unless_forced():
    module = ready()
    with pytest.warns(UserWarning, match="already initialized"):
        module.init_params(mx.init.One())
    assert_same(module, ready())
    module.init_params(mx.init.One(), force_init=True)
    assert params(module)["fc1_weight"].min() == 1 and params(module)["fc1_bias"].max() == 0


def test_initializers_in_attributes():
    x = sym.FullyConnected(
        sym.var("data"), sym.var("w", init=mx.init.Constant(3.0)), num_hidden=2, name="fc"
    )
    module = mx.mod.Module(x, label_names=None)
    module.bind([("data", (2, 3))])
    module.init_params(mx.init.Zero())
    assert params(module)["w"].min() == 3 and params(module)["fc_bias"].max() == 0


def test_fixed_parameters_stay():
    module = ready(fixed_param_names=["fc1_weight"])
    step(module)
    np.testing.assert_array_equal(params(module)["fc1_weight"], values()["fc1_weight"].asnumpy())
    assert np.abs(params(module)["fc2_weight"] - values()["fc2_weight"].asnumpy()).max() > 0


def test_grad_req_add_and_by_name():
    module, once = ready(grad_req="add"), ready()
    once.forward_backward(batch())
    for _ in range(2):
        module.forward_backward(batch())
    for a, b in zip(module._exec_group.grad_arrays, once._exec_group.grad_arrays, strict=True):
        np.testing.assert_allclose(a[0].asnumpy(), 2 * b[0].asnumpy(), rtol=1e-6)
    named = ready(grad_req={"fc1_weight": "null"})
    assert named._exec_group.grad_arrays[0] == [None]


def test_gradients_of_inputs_and_head_gradients():
    x = sym.var("data")
    module = mx.mod.Module(x * x, label_names=None)
    module.bind([("data", (2, 3))], inputs_need_grad=True)
    module.init_params()
    data = nd.array(X[:2, :3])
    module.forward(mx.io.DataBatch([data]), is_train=True)
    module.backward([nd.full((2, 3), 3)])
    np.testing.assert_allclose(module.get_input_grads()[0].asnumpy(), 6 * X[:2, :3], rtol=1e-6)
    with pytest.raises(AssertionError, match="inputs_need_grad"):
        ready().get_input_grads()


def test_states_carry_over():
    x = sym.var("data") + sym.var("state", shape=(0, 5))
    module = mx.mod.Module(sym.Group([x, x * 2]), label_names=None, state_names=["state"])
    module.bind([("data", (4, 5))], for_training=False)
    module.init_params()
    module.set_states(value=3)
    data = mx.io.DataBatch([nd.ones((4, 5))])
    module.forward(data)
    module.set_states(states=module.get_outputs(merge_multi_context=False)[:1])
    module.forward(data)
    assert module.get_outputs()[0].asnumpy().max() == 5
    assert module.get_states(merge_multi_context=False)[0][0].shape == (4, 5)


@pytest.mark.parametrize("contexts", [mx.cpu(0), [mx.cpu(0), mx.cpu(1)]])
def test_checkpoint_goes_on_as_if_nothing_happened(tmp_path, contexts):
    module = ready(context=contexts)
    step(module)
    module.save_checkpoint(str(tmp_path / "net"), 1, save_optimizer_states=True)
    assert {p.name for p in tmp_path.iterdir()} == {
        "net-symbol.json", "net-0001.params", "net-0001.states"
    }  # fmt: skip
    again = mx.mod.Module.load(
        str(tmp_path / "net"), 1, load_optimizer_states=True, context=contexts
    )
    again.bind([("data", (6, 5))], [("softmax_label", (6,))])
    again.init_optimizer(optimizer_params={"learning_rate": 0.5, "momentum": 0.9})
    step(module)
    step(again)
    assert_same(module, again)


def test_params_files(tmp_path):
    module = ready()
    fname = str(tmp_path / "p")
    module.save_params(fname)
    module.init_params(mx.init.Zero(), force_init=True)
    module.load_params(fname)
    assert_same(module, ready())
    nd.save(fname, {"foo": nd.ones((1,))})
    with pytest.raises(ValueError, match="foo"):
        module.load_params(fname)


def test_rebinding_keeps_parameters():
    module = ready()
    step(module)
    before = params(module)
    module.bind([("data", (3, 5))], [("softmax_label", (3,))], force_rebind=True)
    np.testing.assert_array_equal(params(module)["fc1_weight"], before["fc1_weight"])


def test_own_optimizer_object():
    with pytest.warns(UserWarning, match="rescale_grad"):
        module = ready()
        module.init_optimizer(optimizer=mx.optimizer.SGD(learning_rate=0.1), force_init=True)
    assert module._optimizer.idx2name[0] == "fc1_weight"
    for bad, error in ((3, AssertionError), ("nonsense", ValueError)):
        with pytest.raises(error):
            module.init_optimizer(optimizer=bad, force_init=True)
    with pytest.raises(TypeError, match="kvstore"):
        module.init_optimizer(kvstore=3, force_init=True)


# ---- the loop ------------------------------------------------------------------------------------


def iterator(size=8, **options):
    return mx.io.NDArrayIter(X, Y, size, **options)


def test_fit_calls_back_logs_and_learns(caplog):
    events = []
    module = mx.mod.Module(mlp(), logger=logging.getLogger("fit"))
    with caplog.at_level(logging.INFO):
        module.fit(
            iterator(), iterator(), ["acc", "ce"], num_epoch=2, initializer=mx.init.Xavier(),
            batch_end_callback=lambda p: events.append(("batch", p.epoch, p.nbatch)),
            epoch_end_callback=[lambda e, s, a, x: events.append(("epoch", e, sorted(a)))],
            eval_batch_end_callback=lambda p: events.append(("eval", p.epoch, p.nbatch)),
            eval_end_callback=lambda p: events.append(("end", p.epoch, p.nbatch)),
        )  # fmt: skip
    names = sorted(values())
    want = []
    for epoch in range(2):
        want += [("batch", epoch, i) for i in range(3)] + [("epoch", epoch, names)]
        want += [("eval", epoch, i) for i in range(3)] + [("end", epoch, 3)]
    assert events == want
    lines = [r.getMessage().split("=")[0] for r in caplog.records]
    assert lines[:5] == [
        "Epoch[0] Train-accuracy", "Epoch[0] Train-cross-entropy", "Epoch[0] Time cost",
        "Epoch[0] Validation-accuracy", "Epoch[0] Validation-cross-entropy",
    ]  # fmt: skip


def test_fit_needs_epochs_and_data():
    with pytest.raises(AssertionError, match="number of epochs"):
        mx.mod.Module(mlp()).fit(iterator())


def test_fit_twice_goes_on(caplog):
    module = mx.mod.Module(mlp())
    module.fit(iterator(), num_epoch=1)
    rate = module._optimizer
    with warnings.catch_warnings(record=True):
        warnings.simplefilter("always")
        module.fit(iterator(), num_epoch=2, begin_epoch=1, optimizer="adam")
    assert module._optimizer is rate


def test_predict_score_and_iterate():
    module = ready(n=8)
    whole = ready(n=20)
    whole.forward(batch(20), is_train=False)
    want = whole.get_outputs()[0].asnumpy()
    np.testing.assert_allclose(module.predict(iterator()).asnumpy(), want, rtol=1e-5)
    np.testing.assert_allclose(module.predict(X).asnumpy(), want, rtol=1e-5)
    assert module.predict(iterator(), num_batch=2).shape == (16, 3)
    assert [len(o) for o in module.predict(iterator(), merge_batches=False)] == [1, 1, 1]
    assert isinstance(module.predict(iterator(), always_output_list=True), list)
    shapes = [(outs[0].shape, i) for outs, i, _ in module.iter_predict(iterator())]
    assert shapes == [((8, 3), 0), ((8, 3), 1), ((4, 3), 2)]
    with pytest.raises(ValueError, match="DataIter"):
        module.predict(3)
    kept = iterator(last_batch_handle="discard")
    accuracy = (want.argmax(1) == Y)[:16].mean()
    assert module.score(kept, "acc") == [("accuracy", pytest.approx(accuracy))]


def test_hooks_of_subclasses_are_called():
    class Clipped(mx.mod.Module):
        def backward(self, out_grads=None):
            super().backward(out_grads)
            for grads in self._exec_group.grad_arrays:
                for grad in grads:
                    grad[:] = 0

    module = Clipped(mlp())
    module.fit(iterator(), num_epoch=1, arg_params=values(), initializer=None)
    for name, want in values().items():
        np.testing.assert_array_equal(params(module)[name], want.asnumpy())


def test_private_names_that_programs_import():
    from baryon.executor_manager import _split_input_slice
    from baryon.model import (
        _create_kvstore,
        _initialize_kvstore,
        _update_params,
        _update_params_on_kvstore,
    )
    from baryon.module.base_module import _check_input_names, _parse_data_desc

    assert _split_input_slice(7, [1, 1, 1]) == [slice(0, 2), slice(2, 4), slice(4, 7)]
    data, label = _parse_data_desc(["data"], ["l"], [("data", (2, 3))], [("l", (2,))])
    assert (data[0].name, label[0].shape) == ("data", (2,))
    with pytest.raises(ValueError, match="don't match"):
        _parse_data_desc(["data"], [], [("x", (2, 3))], [])
    assert _check_input_names(mlp(), ["data"], "data", True) is None
    assert _create_kvstore("local", 1, {}) == (None, False)
    kv, update = _create_kvstore("device", 2, {})
    assert update and all((_initialize_kvstore, _update_params, _update_params_on_kvstore))
