"""Monitors: what nodes compute, without a change to what is computed."""

from __future__ import annotations

import logging

import numpy as np
import pytest

import baryon as mx
from baryon import nd, sym


def network():
    x = sym.FullyConnected(sym.var("data"), num_hidden=4, name="fc")
    x = sym.Dropout(sym.BatchNorm(x, name="bn"), p=0.5, name="drop")
    return sym.SoftmaxOutput(x, name="softmax")


def bound(monitor=None):
    module = mx.mod.Module(network())
    module.bind([("data", (4, 5))], [("softmax_label", (4,))])
    mx.random.seed(3)
    module.init_params(mx.init.Xavier())
    if monitor is not None:
        module.install_monitor(monitor)
    module.init_optimizer()
    return module


BATCH = mx.io.DataBatch([nd.array(np.arange(20.0).reshape(4, 5))], [nd.array([0, 1, 2, 1])])


def step(module):
    module.forward_backward(BATCH)
    module.update()


def test_every_interval_all_outputs_and_arrays():
    monitor = mx.mon.Monitor(2, stat_func=lambda x: x.max())
    module = bound(monitor)
    found = []
    for _ in range(3):
        monitor.tic()
        step(module)
        found.append(monitor.toc())
    assert [bool(f) for f in found] == [True, False, True]
    names = [name for _, name, _ in found[0]]
    assert [n for n in names if n != "drop_mask"] == [
        "fc_output", "bn_output", "bn_mean", "bn_var", "drop_output", "softmax_output",
        "data", "fc_weight", "fc_bias", "bn_gamma", "bn_beta", "softmax_label",
        "bn_moving_mean", "bn_moving_var",
    ]  # fmt: skip
    assert {step for step, _, _ in found[2]} == {3}


def test_values_are_those_of_the_run_itself():
    shown = {}
    exe = network().simple_bind(mx.cpu(), data=(4, 5))
    exe.arg_dict["fc_weight"][:] = nd.random.normal(shape=(4, 5))
    exe.set_monitor_callback(lambda name, x: shown.__setitem__(name, x.asnumpy()), monitor_all=True)
    out = exe.forward(is_train=True, data=BATCH.data[0])[0].asnumpy()
    np.testing.assert_array_equal(shown["softmax_output"], out)  # the same dropout too
    want = BATCH.data[0].asnumpy() @ exe.arg_dict["fc_weight"].asnumpy().T
    np.testing.assert_allclose(shown["fc_output"], want, rtol=1e-5)
    np.testing.assert_array_equal(shown["fc_data"], BATCH.data[0].asnumpy())
    assert "data" in shown and "fc_weight" in shown


def test_order_of_inputs_and_outputs():
    """As MXNet was seen to show them: each variable where it is read."""
    x, y = mx.sym.var("x"), mx.sym.var("y")
    exe = mx.sym.broadcast_add(x, x * y, name="sum").simple_bind(mx.cpu(), x=(2, 3), y=(2, 3))
    shown = []
    exe.set_monitor_callback(lambda name, _: shown.append(name), monitor_all=True)
    exe.forward()
    product = shown[1].removesuffix("_lhs")
    assert shown == [
        "x", f"{product}_lhs", "y", f"{product}_rhs", f"{product}_output",
        "x", "sum_lhs", "sum_rhs", "sum_output",
    ]  # fmt: skip


def test_watching_changes_nothing():
    plain, watched = bound(), bound(mx.mon.Monitor(1))
    for module in (plain, watched):
        mx.random.seed(5)
        for _ in range(3):
            step(module)
    for name, x in plain.get_params()[0].items():
        np.testing.assert_array_equal(x.asnumpy(), watched.get_params()[0][name].asnumpy())


def test_callback_can_be_taken_away():
    shown = []
    exe = network().simple_bind(mx.cpu(), data=(4, 5))
    exe.set_monitor_callback(lambda name, x: shown.append(name))
    exe.forward()
    exe.set_monitor_callback(None)
    count = len(shown)
    exe.forward()
    assert count and len(shown) == count


def test_pattern_sort_and_default_statistic(caplog):
    monitor = mx.mon.Monitor(1, pattern="(fc|softmax).*", sort=True)
    module = bound(monitor)
    monitor.tic()
    step(module)
    weight = module.get_params()[0]["fc_weight"].asnumpy()
    with caplog.at_level(logging.INFO):
        monitor.toc_print()
    names = [record.getMessage().split()[2] for record in caplog.records]
    assert names == sorted(names) and all(n.startswith(("fc", "softmax")) for n in names)
    line = next(r.getMessage() for r in caplog.records if "fc_weight" in r.getMessage())
    value = float(line.split()[3])
    assert value == pytest.approx(np.sqrt((weight**2).mean()), rel=1e-5)


def test_statistics_must_be_arrays():
    monitor = mx.mon.Monitor(1, stat_func=lambda x: 1.0)
    module = bound(monitor)
    monitor.tic()
    step(module)
    with pytest.raises(TypeError, match="NDArrays"):
        monitor.toc()
