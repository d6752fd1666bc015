"""Inference completes partial information in both directions."""

from __future__ import annotations

import numpy as np
import pytest

import baryon as mx
from baryon.graph.graph import walk
from baryon.graph.infer import infer_dtypes, infer_shapes, typed
from baryon.ops import Spec


def shapes_of(symbol, **given):
    nodes = walk(symbol._entries)
    facts = infer_shapes(nodes, {n: given[n.name] for n in nodes if n.name in given})
    return {n.name: facts[n][0] for n in nodes}


def test_parameters_come_from_data():
    net = mx.sym.FullyConnected(mx.sym.var("x"), num_hidden=5, name="fc")
    found = shapes_of(net, x=(2, 3))
    assert found["fc_weight"] == (5, 3) and found["fc_bias"] == (5,) and found["fc"] == (2, 5)


def test_elementwise_shapes_flow_backward():
    a, b = mx.sym.var("a"), mx.sym.var("b")
    found = shapes_of(mx.sym.relu(a) + b, b=(2, 3))
    assert found["a"] == (2, 3)


def test_partial_dimensions_meet():
    found = shapes_of(mx.sym.var("a") + mx.sym.var("b"), a=(2, -1), b=(-1, 3))
    assert found["a"] == found["b"] == (2, 3)


def test_conflict_names_node_operator_and_shapes():
    net = mx.sym.elemwise_add(mx.sym.var("a"), mx.sym.var("b"), name="sum")
    with pytest.raises(mx.MXNetError, match=r"'sum'.*elemwise_add.*\(2,3\).*\(4,5\)"):
        shapes_of(net, a=(2, 3), b=(4, 5))


def test_float64_flows_though_numpy_holds_it_equal_to_none():
    net = mx.sym.exp(mx.sym.var("x"))
    nodes = walk(net._entries)
    found = infer_dtypes(nodes, {nodes[0]: np.dtype("float64")})
    assert found[nodes[1]] == [np.dtype("float64")]


def test_declared_shape_and_dtype_of_a_variable():
    net = mx.sym.relu(mx.sym.var("x", shape=(2, 0), dtype="float16")) + mx.sym.var("y")
    heads, variables = typed(net._entries, {"y": Spec((2, 7), np.dtype("float16"))}, train=False)
    assert variables["x"].spec == Spec((2, 7), np.dtype("float16")) == heads[0].spec


def test_unknown_variable_is_named():
    with pytest.raises(mx.MXNetError, match="node 'x'.*variable cannot be inferred"):
        typed(mx.sym.relu(mx.sym.var("x"))._entries, {}, train=False)


def test_mode_is_baked_into_typed_nodes():
    net = mx.sym.Dropout(mx.sym.var("x"))
    for train in (True, False):
        heads, _ = typed(net._entries, {"x": Spec((2,), np.dtype("float32"))}, train)
        assert heads[0].node.params.train is train
