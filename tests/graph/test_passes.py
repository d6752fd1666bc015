"""Gradient, simplify and lower on small graphs."""

from __future__ import annotations

import numpy as np
import pytest

import baryon as mx
from baryon.graph.gradient import gradient
from baryon.graph.graph import cut, draw, variable, walk
from baryon.graph.lower import ARENA, EXTERNAL, Head, lower
from baryon.graph.plan import check_plan
from baryon.graph.program import Program
from baryon.graph.simplify import simplify
from baryon.ops import Spec, get

F32 = np.dtype("float32")


def var(name, *shape):
    return variable(name, Spec(shape, F32))


def apply(name, *inputs, **attrs):
    return draw(get(name), inputs, attrs)[0]


def run(inputs, heads, *arrays, groups=None):
    lowered = lower(inputs, groups or [[Head(h) for h in heads]])
    check_plan(lowered.plan)
    program = Program(lowered)
    outs = [np.zeros(h.shape, h.dtype) for h in heads]
    arena = program.new_arena()
    for group in range(len(lowered.boundaries)):
        program.run(group, arena, [*arrays, *outs])
    return outs


def test_gradient_of_a_shared_input_is_summed():
    x = var("x", 3)
    y = x * x + x
    (dx,) = gradient([y], [None], [x])
    data = np.array([1, 2, 3], "float32")
    np.testing.assert_allclose(run([x], [dx], data)[0], 2 * data + 1)


def test_broadcast_gradient_is_summed_down():
    a, b = var("a", 2, 3), var("b", 1, 3)
    dy = var("dy", 2, 3)
    (db,) = gradient([apply("broadcast_add", a, b)], [dy], [b])
    assert db.shape == (1, 3)
    data = np.arange(6, dtype="float32").reshape(2, 3)
    np.testing.assert_allclose(run([dy], [db], data)[0], data.sum(0, keepdims=True))


def test_no_gradient_where_none_flows():
    x, z = var("x", 2), var("z", 2)
    y = apply("BlockGrad", x) * z
    dx, dz = gradient([y], [None], [x, z])
    assert dx is None and dz is not None


def test_gradient_with_respect_to_an_intermediate():
    x = var("x", 2)
    h = apply("exp", x)
    dh, dx = gradient([h * h], [None], [h, x])
    data = np.array([0.5, 1.0], "float32")
    got = run([x], [dh, dx], data)
    np.testing.assert_allclose(got[0], 2 * np.exp(data), rtol=1e-6)
    np.testing.assert_allclose(got[1], 2 * np.exp(2 * data), rtol=1e-6)


def test_simplify_merges_equal_nodes_and_drops_identities():
    x = var("x", 2)
    a, b = apply("exp", x), apply("exp", apply("_copy", x))
    (merged,) = simplify([a + b])
    names = sorted(n.op.name for n in walk([merged]) if n.op)
    assert names == ["elemwise_add", "exp"]


def test_simplify_drops_conversions_that_change_nothing():
    half, single = (variable(n, Spec((2,), np.dtype(t))) for n, t in (("h", "f2"), ("s", "f4")))
    for name in ("Cast", "amp_cast"):
        (same,) = draw(get(name), [single], {"dtype": "float32"})
        (other,) = draw(get(name), [half], {"dtype": "float32"})
        assert simplify([same])[0].node is single.node
        assert simplify([other])[0].node is not half.node
    both = draw(get("amp_multicast"), [half, single], {"num_outputs": 2})
    wide, kept = simplify(both)
    assert kept.node is single.node and wide.node.op is get("amp_multicast")


def test_simplify_keeps_random_draws_apart():
    x = var("x", 4)
    a, b = simplify([draw(get("Dropout"), [x], {})[0] for _ in range(2)])
    assert a.node is not b.node


def test_cut_stops_at_the_given_entries():
    x = var("x", 2)
    h = apply("exp", x)
    (y,), used = cut([h * 2], [h.key])
    assert [n.op is None for n in walk([y])] == [True, False]
    assert list(used) == [h.key]


def test_an_elementwise_chain_runs_in_one_buffer():
    x = var("x", 1000)
    y = x
    for _ in range(5):
        y = apply("relu", y)
    lowered = lower([x], [[Head(apply("sum", y))]])
    arena = {r.offset for i in lowered.instructions for r in i.outs if r.space == ARENA}
    assert lowered.plan.planned == 4032 and len(arena) == 1  # 4000 bytes rounded up to lines


def test_views_move_no_bytes():
    x = var("x", 2, 3)
    y = apply("Reshape", apply("relu", x), shape=(3, 2)) * 2
    lowered = lower([x], [[Head(y)]])
    assert [i.op.name for i in lowered.instructions] == ["relu", "_mul_scalar"]


def test_an_input_is_never_written():
    x = var("x", 3)
    data = np.array([-1, 0, 1], "float32")
    out = run([x], [apply("relu", apply("Reshape", x, shape=(3, 1)))], data)[0]
    np.testing.assert_array_equal(out.ravel(), [0, 0, 1])
    np.testing.assert_array_equal(data, [-1, 0, 1])


def test_the_same_entry_as_two_heads_and_an_input_as_head():
    x = var("x", 2)
    y = apply("exp", x)
    data = np.array([0, 1], "float32")
    a, b, c = run([x], [y, y, x], data)
    np.testing.assert_allclose(a, np.exp(data), rtol=1e-6)
    np.testing.assert_array_equal(a, b)
    np.testing.assert_array_equal(c, data)


def test_accumulating_head_adds_to_its_array():
    x = var("x", 2)
    program = Program(lower([x], [[Head(x * 2, accumulate=True)]]))
    total = np.array([10, 20], "float32")
    program.run(0, program.new_arena(), [np.array([1, 2], "float32"), total])
    np.testing.assert_array_equal(total, [12, 24])


def test_forward_values_survive_for_the_backward_group():
    x, dy = var("x", 64), var("dy", 64)
    y = apply("tanh", apply("exp", apply("relu", x)))
    (dx,) = gradient([y], [dy], [x])
    program = Program(lower([x, dy], [[Head(y)], [Head(dx)]]))
    data = np.linspace(-1, 1, 64, dtype="float32")
    ones, out, grad = np.ones(64, "float32"), np.zeros(64, "float32"), np.zeros(64, "float32")
    arena = program.new_arena()
    program.run(0, arena, [data, None, out, None])
    program.run(1, arena, [data, ones, out, grad])
    e = np.exp(np.maximum(data, 0))
    np.testing.assert_allclose(grad, (1 - np.tanh(e) ** 2) * e * (data > 0), rtol=1e-4, atol=1e-6)


def test_constants_are_folded():
    x = var("x", 2)
    ones = draw(get("_ones"), [], {"shape": (2,)})[0]
    lowered = lower([x], [[Head(x + ones)]])
    assert len(lowered.instructions) == 1 and len(lowered.constants) == 1


def test_unbound_variable_is_named():
    with pytest.raises(mx.MXNetError, match="'y' is not bound"):
        lower([var("x", 2)], [[Head(var("y", 2) * 2)]])


def test_heads_live_in_their_external_arrays():
    x = var("x", 2)
    lowered = lower([x], [[Head(apply("exp", x))]])
    assert [r.space for r in lowered.instructions[0].outs] == [EXTERNAL]
    assert lowered.plan.planned == 0


def test_a_result_of_another_dtype_does_not_take_over_memory():
    x = mx.sym.var("x")
    y = mx.sym.Cast(x * 2 + 1, dtype="int32") % 3  # as wide as float32
    found = y.eval(x=mx.nd.array([1.0, 2.5]))[0]
    assert found.dtype == np.int32 and found.asnumpy().tolist() == [0, 0]
