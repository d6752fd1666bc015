"""Walks: the native ones find what the ones written in Python find, in the same order."""

import numpy as np
import pytest

import baryon as mx
from baryon.graph import graph, tape
from baryon.native import native

pytestmark = pytest.mark.skipif(native is None, reason="needs the native engine")


def diamonds(count):
    """Values that are read twice, by two nodes each."""
    x = mx.sym.var("x")
    for _ in range(count):
        x = mx.sym.tanh(x) * x + mx.sym.relu(x)
    return mx.sym.Group([x, mx.sym.sin(x)])


def python(monkeypatch, module, call):
    with monkeypatch.context() as m:
        m.setattr(module, "native", None)
        return call()


@pytest.mark.parametrize("stops", [False, True])
def test_walks_agree(monkeypatch, stops):
    heads = diamonds(20)._entries
    every = graph.walk(heads)
    stop = {n for n in every if n.op is not None and n.op.name == "relu"}.__contains__
    found = graph.walk(heads, stop if stops else None)
    again = python(monkeypatch, graph, lambda: graph.walk(heads, stop if stops else None))
    assert len(found) == len(again) == len({*found})
    assert all(a is b for a, b in zip(found, again, strict=True))


def test_what_stop_raises_passes():
    def stop(node):
        raise KeyError("stop")

    with pytest.raises(KeyError, match="stop"):
        graph.walk(diamonds(1)._entries, stop)


def test_walks_of_tapes_agree(monkeypatch):
    x, constant = mx.nd.array([1.0, 2.0]), mx.nd.array([3.0, 4.0])
    x.attach_grad()
    with mx.autograd.record():
        y = x * constant
        z = y + mx.nd.tanh(y) * x
    heads = [z._node, y._node]
    found = tape.tape_walk(heads)
    again = python(monkeypatch, tape, lambda: tape.tape_walk(heads))
    assert len(found) == 5 and all(a is b for a, b in zip(found, again, strict=True))
    z.backward()
    t = np.tanh(np.array([3.0, 8.0]))
    expected = [3, 4] + t + np.array([1, 2]) * (1 - t * t) * [3, 4]
    np.testing.assert_allclose(x.grad.asnumpy(), expected, rtol=1e-5)
