"""Cheap forward values computed again in the backward pass: the same numbers, less memory."""

from __future__ import annotations

import numpy as np
import pytest

import baryon as mx
from baryon.native import native

pytestmark = pytest.mark.skipif(native is None, reason="blocked images need the native engine")

IMAGE = (2, 32, 96, 96)
BYTES = 4 * int(np.prod(IMAGE))  # of every large value in these networks


def chain(depth, residual=False, fix_gamma=False):
    """Convolutions with batch norm and relu, or with a sum before every relu."""
    x = mx.sym.var("data")
    for i in range(depth):
        y = mx.sym.Convolution(
            x, num_filter=32, kernel=(3, 3), pad=(1, 1), no_bias=True, name=f"conv{i}"
        )
        y = mx.sym.BatchNorm(y, fix_gamma=fix_gamma, name=f"norm{i}")
        x = mx.sym.Activation(y + x if residual else y, act_type="relu", name=f"relu{i}")
    return mx.sym.MakeLoss(mx.sym.mean(mx.sym.square(x)))


def bound(net, reqs="write"):
    exe = net.simple_bind(mx.cpu(), grad_req=reqs, data=IMAGE)
    rng = np.random.RandomState(0)
    for name, x in {**exe.arg_dict, **exe.aux_dict}.items():
        scale = 0.1 if name.endswith("weight") else 1
        x[:] = (
            (0.5 + rng.rand(*x.shape)) * scale if "conv" not in name else rng.randn(*x.shape) * 0.1
        )
    return exe


def results(exe):
    arrays = {**exe.arg_dict, **exe.aux_dict, **{f"d {n}": g for n, g in exe.grad_dict.items()}}
    return {n: x.asnumpy() for n, x in arrays.items() if x is not None}


def repeats(exe):
    program = exe._program(True)
    backward = program.lowered.instructions[program.boundaries[1] :]
    return sum("_again_" in i.op.name for i in backward)


@pytest.mark.parametrize("residual", [False, True])
@pytest.mark.parametrize("fix_gamma", [False, True])
def test_the_same_bits_from_less_memory(monkeypatch, residual, fix_gamma):
    net = chain(3, residual, fix_gamma)
    reqs = {n: "write" for n in net.list_arguments()} | {
        "conv1_weight": "add",
        "norm2_beta": "null",
    }

    def run():
        exe = bound(net, reqs)
        for _ in range(2):
            exe.forward(is_train=True)
            exe.backward()
            exe.arg_dict["norm0_gamma"][:] *= 1.5  # between calls anybody may write
        exe.backward()  # once more: the forward pass runs again
        return results(exe), exe

    found, exe = run()
    monkeypatch.setenv("BARYON_RECOMPUTE", "0")
    want, plain = run()
    assert found.keys() == want.keys()
    for name, x in want.items():
        np.testing.assert_array_equal(found[name], x, name)
    assert repeats(exe) and not repeats(plain)
    assert exe.memory_plan().planned < plain.memory_plan().planned


def test_what_a_chain_keeps():
    """A layer keeps its convolution; a little more is needed where forward turns to backward."""
    for depth in (4, 7):
        plan = bound(chain(depth)).memory_plan()
        assert plan.lower_bound <= plan.planned <= (depth + 3.2) * BYTES


def test_sums_are_kept_every_fourth_time():
    """Three sums are computed again from the one before them, when the last of them is needed."""
    exe = bound(chain(8, residual=True))
    assert repeats(exe) == 6
    assert exe.memory_plan().planned <= (8 + 2 + 3 + 2.2) * BYTES


def test_what_nobody_keeps_is_not_read():
    """Without a gradient by weights nobody needs the results of layers but for where they are 0."""
    net = chain(3)
    reqs = {n: "write" if n == "data" else "null" for n in net.list_arguments()}
    exe = bound(net, reqs)
    exe.forward(is_train=True)
    exe.backward()
    assert exe.memory_plan().planned <= (3 + 3.2) * BYTES


def test_small_values_are_kept(monkeypatch):
    exe = chain(2).simple_bind(mx.cpu(), data=(2, 32, 16, 16))
    assert not repeats(exe)


def test_outputs_are_read_where_they_are():
    x = mx.sym.Convolution(
        mx.sym.var("data"), num_filter=32, kernel=(3, 3), pad=(1, 1), no_bias=True, name="conv0"
    )
    y = mx.sym.Activation(mx.sym.BatchNorm(x, fix_gamma=False, name="norm0"), act_type="relu")
    exe = bound(mx.sym.Group([y, mx.sym.MakeLoss(mx.sym.mean(y * y))]))
    exe.forward(is_train=True)
    exe.backward([mx.nd.ones(IMAGE), None])
    assert not np.isnan(exe.grad_dict["data"].asnumpy()).any()
