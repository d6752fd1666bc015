"""What graphs cost as they grow: no recursion anywhere, and steps in proportion to their nodes."""

from __future__ import annotations

import sys

import pytest

import baryon as mx


def chain(x, count):
    for i in range(count):
        x = x.relu() if i % 2 else x * 1.0001
    return x


def layers(x, count):
    for i in range(count // 2):
        x = mx.sym.FullyConnected(x, num_hidden=4, name=f"fc{i}")
        x = mx.sym.Activation(x, act_type="relu", name=f"act{i}")
    return x


def wide(x, count):
    return mx.sym.add_n(*[x * float(i) for i in range(count)])


def calls(work):
    """How many functions Python and C call while `work` runs."""
    count = 0

    def note(frame, event, arg):
        nonlocal count
        count += event in ("call", "c_call")

    before = sys.getprofile()
    sys.setprofile(note)
    try:
        work()
    finally:
        sys.setprofile(before)
    return count


@pytest.mark.parametrize("draw", [chain, layers, wide])
@pytest.mark.parametrize("req", ["null", "write"])
def test_binding_costs_in_proportion_to_the_nodes(draw, req):
    def bound(count):
        symbol = draw(mx.sym.var("data"), count)
        return calls(lambda: symbol.simple_bind(mx.cpu(), grad_req=req, data=(2, 4)))

    bound(10)  # what happens once
    assert bound(1200) < 4.4 * bound(300)


@pytest.mark.parametrize("draw", [chain, layers])
def test_drawing_writing_and_reading_cost_in_proportion_to_the_nodes(draw):
    def passes(count):
        return calls(lambda: mx.sym.load_json(draw(mx.sym.var("data"), count).tojson()))

    passes(10)
    assert passes(1200) < 4.4 * passes(300)


def test_a_chain_of_100000_nodes_is_drawn_printed_written_read_and_freed(tmp_path):
    symbol = chain(mx.sym.var("data"), 100_000)
    assert len(symbol.debug_str().splitlines()) >= 100_000 and len(str(symbol)) < 1000
    symbol.save(str(tmp_path / "chain.json"))
    del symbol
    assert mx.sym.load(str(tmp_path / "chain.json")).list_arguments() == ["data"]


def test_a_chain_of_20000_nodes_runs():
    exe = chain(mx.sym.var("data"), 20_000).simple_bind(mx.cpu(), data=(2, 4))
    exe.arg_dict["data"][:] = 1
    (out,) = exe.forward(is_train=True)
    exe.backward(mx.nd.ones((2, 4)))
    expected = 1.0001**10_000
    assert out.asnumpy() == pytest.approx(expected, rel=1e-3)
    assert exe.grad_dict["data"].asnumpy() == pytest.approx(expected, rel=1e-3)


def test_a_tape_of_100000_calls_is_recorded_and_freed():
    x = mx.nd.ones((2,))
    x.attach_grad()
    with mx.autograd.record():
        y = chain(x, 100_000)
    assert y.asnumpy() == pytest.approx(1.0001**50_000, rel=1e-2)
    del y


def test_a_tape_of_10000_calls_runs_backward():
    x = mx.nd.ones((2,))
    x.attach_grad()
    for _ in range(3):  # call by call, then compiled, then again
        with mx.autograd.record():
            y = chain(x, 10_000)
        y.backward()
        assert x.grad.asnumpy() == pytest.approx(1.0001**5_000, rel=1e-3)
