"""Pointwise chains: what is drawn as one node, and bit for bit the same values."""

from __future__ import annotations

import numpy as np
import pytest

import baryon as mx
from baryon.graph.fuse import again, chains, fuse
from baryon.graph.graph import draw, variable, walk
from baryon.graph.lower import Head, lower
from baryon.graph.program import Program
from baryon.native import native
from baryon.ops.chain import read
from baryon.ops.op import Spec, get

pytestmark = pytest.mark.skipif(native is None, reason="chains run on native kernels")


@pytest.fixture(autouse=True)
def any_size(monkeypatch):
    monkeypatch.setattr(chains, "SMALLEST", 1)


UNARY = ("exp", "tanh", "sigmoid", "relu", "square", "abs", "erf", "sin", "negative", "floor")
BINARY = ("broadcast_add", "broadcast_sub", "broadcast_mul", "broadcast_div", "broadcast_maximum")


def given(*shapes, dtype="float32"):
    return [variable(f"in{i}", Spec(s, np.dtype(dtype))) for i, s in enumerate(shapes)]


def apply(name, *inputs, **attrs):
    return draw(get(name), list(inputs), attrs)[0]


def drawn_names(*groups):
    return [n.op.name for n in walk([e for g in fuse(*groups) for e in g]) if n.op is not None]


def values(inputs, heads, arrays):
    program = Program(lower(inputs, [[Head(h) for h in heads]]))
    outs = [np.empty(h.shape, h.dtype) for h in heads]
    program.run(0, program.new_arena(), [*arrays, *outs])
    return outs


def check(inputs, heads, arrays):
    """Fused and single operators give the same bits."""
    (fused,) = fuse(heads)
    pairs = zip(values(inputs, fused, arrays), values(inputs, heads, arrays), strict=True)
    for got, want in pairs:
        np.testing.assert_array_equal(got, want)
        assert got.tobytes() == want.tobytes()
    return fused


@pytest.mark.parametrize("kind", ["leaky", "elu", "selu", "gelu"])
def test_rectifiers_that_draw_no_slopes_are_steps(kind):
    x, y = given((4, 5), (4, 5))
    out = apply("LeakyReLU", x * y, act_type=kind, slope=0.3) + y
    rng = np.random.default_rng(0)
    check([x, y], [out], [rng.normal(size=(4, 5)).astype(np.float32) for _ in range(2)])
    assert drawn_names([out]) == ["_fused_chain"]
    drawn = apply("LeakyReLU", x, act_type="rrelu") + y
    assert "LeakyReLU" in drawn_names([drawn])


def test_a_chain_is_one_node():
    x, y = given((4, 5), (4, 5))
    out = apply("sqrt", apply("exp", x * y + 1.0) - y)
    assert drawn_names([out]) == ["_fused_chain"]
    steps = [s.op.name for s in read(fuse([out])[0][0].node.params.program).steps]
    assert steps == ["elemwise_mul", "_plus_scalar", "exp", "elemwise_sub", "sqrt"]


def test_values_that_others_read_are_results():
    (x,) = given((3, 4))
    inner = apply("exp", x)
    product = apply("dot", inner, x, transpose_b=True)
    heads = [inner * 2.0, product]
    assert sorted(drawn_names(heads)) == ["_fused_chain", "dot"]
    check([x], heads, [np.ones((3, 4), np.float32)])


def test_nobody_waits_for_himself():
    """``x - mean(x)`` is not one chain with what the mean reads."""
    (x,) = given((3, 4))
    scaled = x * 2.0
    centred = apply("broadcast_sub", scaled, apply("mean", scaled, axis=1, keepdims=True))
    heads = [apply("exp", centred)]
    assert drawn_names(heads) == ["_fused_chain", "_fused_chain"]
    first = read(fuse(heads)[0][0].node.inputs[0].node.params.program)
    assert [s.op.name for s in first.steps] == ["_mul_scalar", "mean"]
    check([x], heads, [np.random.default_rng(0).normal(size=(3, 4)).astype(np.float32)])


def test_forward_does_not_wait_for_gradients():
    x, dy = given((6,), (6,))
    y = apply("exp", x)
    assert drawn_names([y], [y * dy * 2.0]) == ["exp", "_fused_chain"]


def test_single_operators_and_other_shapes_stay():
    x, y = given((4, 1), (1, 5))
    assert drawn_names([apply("exp", x)]) == ["exp"]
    both = apply("broadcast_add", apply("exp", x), apply("exp", y))
    assert drawn_names([both]) == ["exp", "exp", "broadcast_add"]


def test_the_setting_turns_it_off(monkeypatch):
    monkeypatch.setenv("BARYON_FUSE", "0")
    (x,) = given((6,))
    assert drawn_names([apply("exp", x) * 2.0]) == ["exp", "_mul_scalar"]


SHAPES = {
    "scalar": [(), (), ()],
    "vector and one": [(5000,), (1,), (5000,)],
    "rows": [(700, 33), (33,), (1, 33)],
    "columns": [(700, 33), (700, 1), (700, 33)],
    "long rows": [(3, 9001), (9001,), (3, 1)],
    "channels": [(2, 3, 50, 50), (1, 3, 1, 1), (2, 1, 50, 1)],
    "narrow": [(3000, 3), (3,), (3000, 1)],
    "outer": [(40, 1, 60), (1, 50, 1), (60,)],
    "more axes": [(2, 1, 3, 1, 400), (1, 7, 3, 5, 1), (2, 7, 1, 5, 400)],
}


@pytest.mark.parametrize("shapes", SHAPES.values(), ids=SHAPES)
@pytest.mark.parametrize("dtype", ["float32", "float64", "float16", "bfloat16", "int32", "int8"])
def test_broadcasting(shapes, dtype):
    rng = np.random.default_rng(0)
    arrays = [rng.integers(1, 9, s).astype(mx.dtypes.as_dtype(dtype)) for s in shapes]
    inputs = given(*shapes, dtype=mx.dtypes.as_dtype(dtype))
    total = apply("broadcast_add", apply("broadcast_mul", *inputs[:2]), inputs[2])
    (head,) = check(inputs, [apply("square", total) - total], arrays)[:1]
    wide = [a.astype(np.float64) for a in arrays]
    sums = wide[0] * wide[1] + wide[2]
    got = values(inputs, [head], arrays)[0].astype(np.float64)
    if dtype not in ("float16", "bfloat16", "int8"):
        np.testing.assert_allclose(got, sums**2 - sums)


def random_graph(rng, count, shapes, dtype):
    """Pointwise nodes and a few others, on inputs of shapes that broadcast."""
    inputs = given(*shapes, dtype=dtype)
    entries = list(inputs)
    for _ in range(count):
        a, b = (entries[rng.integers(max(0, len(entries) - 6), len(entries))] for _ in range(2))
        kind = rng.integers(8)
        if kind == 0:
            axis = int(rng.integers(a.ndim)) if a.ndim else ()
            entries.append(apply("mean", a, axis=axis, keepdims=True))
        elif kind < 4:
            entries.append(apply(str(rng.choice(BINARY)), a, b))
        elif kind == 4:
            entries.append(apply("broadcast_mul", apply("_greater_scalar", a, scalar=0.1), b))
        else:
            entries.append(apply(str(rng.choice(UNARY)), a * 0.5))
    heads = [entries[i] for i in rng.integers(len(inputs), len(entries), 3)] + [entries[-1]]
    return inputs, heads


@pytest.mark.parametrize("seed", range(24))
def test_random_graphs(seed):
    rng = np.random.default_rng(seed)
    dtype = np.dtype(["float32", "float64", "float16"][seed % 3])
    shapes = list(SHAPES.values())[seed % len(SHAPES)]
    inputs, heads = random_graph(rng, 40, shapes, dtype)
    arrays = [rng.normal(size=s).astype(dtype) for s in shapes]
    arrays[0].flat[:1] = np.nan
    arrays[-1].flat[-1:] = np.inf
    check(inputs, heads, arrays)


def test_results_take_over_memory_that_a_later_step_still_reads():
    (x,) = given((5000,))
    start = apply("cumsum", x)  # not pointwise: lives in the arena, read by the chain alone
    first = start * 2.0
    heads = [apply("cumsum", first), apply("cumsum", apply("broadcast_add", first * 3.0, start))]
    check([x], heads, [np.random.default_rng(0).normal(size=5000).astype(np.float32)])


@pytest.mark.parametrize("large", [1, 1 << 18])
def test_training_gives_the_same_bits(large, monkeypatch):
    monkeypatch.setattr(again, "LARGE", large)

    def results():
        x = mx.sym.var("x")
        gelu = x * 0.5 * (1 + mx.sym.erf(x * 0.7071067811865476))
        mean = mx.sym.mean(gelu, axis=1, keepdims=True)
        centred = mx.sym.broadcast_sub(gelu, mean)
        var = mx.sym.mean(mx.sym.square(centred), axis=1, keepdims=True)
        normal = mx.sym.broadcast_mul(centred, mx.sym.rsqrt(var + 1e-5))
        out = mx.sym.log(1 + mx.sym.exp(-normal))
        executor = out.simple_bind(mx.cpu(), x=(7, 300))
        executor.arg_dict["x"][:] = np.random.default_rng(1).normal(size=(7, 300))
        executor.forward(is_train=True)
        executor.backward(mx.nd.ones((7, 300)))
        program = executor._compile(True).program
        return len(program.lowered.instructions), executor.outputs[0], executor.grad_dict["x"]

    count, *fused = results()
    monkeypatch.setenv("BARYON_FUSE", "0")
    plain_count, *plain = results()
    assert count < 0.6 * plain_count
    for got, want in zip(fused, plain, strict=True):
        np.testing.assert_array_equal(got.asnumpy(), want.asnumpy())


def test_the_tape_compiles_chains():
    x = mx.nd.array([0.5, -1.0])
    x.attach_grad()
    for _ in range(3):
        with mx.autograd.record():
            y = mx.nd.exp(mx.nd.tanh(x) * 2) * x
        y.backward()
    t = np.tanh([0.5, -1.0])
    want = np.exp(2 * t) * (1 + np.array([0.5, -1.0]) * 2 * (1 - t * t))
    np.testing.assert_allclose(x.grad.asnumpy(), want, rtol=1e-5)


ROWS = {
    "few": ((700, 33), -1),
    "all of a vector": ((5000,), 0),
    "long": ((5, 7000), 1),
    "two axes": ((6, 7, 3, 40), (2, 3)),
    "all but one": ((9, 5, 30), (1, 2)),
}


@pytest.mark.parametrize("name", ["sum", "mean", "max", "min", "prod"])
@pytest.mark.parametrize("shape,axis", ROWS.values(), ids=ROWS)
@pytest.mark.parametrize("dtype", ["float32", "float64", "float16", "int32"])
def test_rows_are_reduced_where_they_are_computed(name, shape, axis, dtype):
    x, y = given(shape, (shape[-1],), dtype=dtype)
    array = np.random.default_rng(0).integers(1, 3, shape).astype(dtype)
    both = apply("broadcast_mul", x, y) - 1
    reduced = apply(name, both, axis=axis)
    heads = [reduced, apply(name, apply("square", both), axis=axis, keepdims=True), both]
    fused = check([x, y], heads, [array, array[..., :].reshape(-1)[: shape[-1]].copy()])
    assert {e.node.op.name for e in fused} == {"_fused_chain"}
    assert fused[0].node is fused[1].node is fused[2].node


def test_rows_too_long_for_the_cache_and_first_axes_stay():
    x, y = given((2, 9000), (90, 60))
    far = apply("sum", apply("exp", x) * 2, axis=1)
    first = apply("sum", apply("exp", y) * 2, axis=0)
    assert drawn_names([far], [first]) == ["_fused_chain", "sum"] * 2


# ---- values computed again ---------------------------------------------------------------------


@pytest.fixture
def all_large(monkeypatch):
    monkeypatch.setattr(again, "LARGE", 1)


def forward_reads(*groups):
    """What later groups read of the first one's values, and how many results the first one has."""
    first, *later = fuse(*groups)
    inside = {n for n in walk(first) if n.op is not None}
    reads = {
        e.key for n in walk([e for g in later for e in g]) for e in n.inputs if n not in inside
    }
    return sorted({n.op.name for n, _ in reads if n in inside}), len(first[0].node.entries)


def test_values_of_chains_are_computed_again_rather_than_kept(all_large):
    x, dy = given((6, 5), (6, 5))
    inner = apply("exp", x * 2.0)
    assert forward_reads([inner + 1.0], [dy * inner]) == ([], 1)


def test_what_others_read_or_what_costs_much_is_kept(all_large):
    x, dy = given((6, 5), (6, 5))
    inner = apply("exp", x * 2.0)
    product = apply("dot", inner, x, transpose_b=True)
    assert forward_reads([inner + 1.0, product], [dy * inner])[0] == ["_fused_chain"]
    costly = apply("gamma", x * 2.0)
    assert forward_reads([costly + 1.0], [dy * costly])[0] == ["_fused_chain"]
    far = apply("dot", x, dy, transpose_b=True)  # nobody keeps it
    value = apply("exp", far * 2.0)
    assert forward_reads([value + 1.0], [value * far * 3.0])[0] == ["dot"]
    assert forward_reads([value + 1.0], [value * 3.0])[0] == ["_fused_chain"]


def test_values_read_from_a_state_that_changes_are_kept(all_large):
    x, weight, dy = given((6, 5), (6, 5), (6, 5))
    value = apply("exp", weight * 2.0)
    updated = apply("sgd_mom_update", x, dy, weight, lr=0.1, momentum=0.9)  # writes `weight`
    assert forward_reads([value + 1.0, updated], [value * dy])[0] == ["_fused_chain"]


def test_a_chain_has_small_work_of_another_for_itself(all_large):
    """``x - mean(x)`` is not written for who comes after the mean of its square."""
    (x,) = given((40, 30))
    centred = apply("broadcast_sub", x, apply("mean", x, axis=1, keepdims=True))
    var = apply("mean", apply("square", centred), axis=1, keepdims=True)
    head = apply("broadcast_mul", centred, apply("rsqrt", var)) + 1.0
    array = np.random.default_rng(0).normal(size=(40, 30)).astype(np.float32)
    (fused,) = check([x], [head], [array])
    found = [n for n in walk([fused]) if n.op is get("_fused_chain")]
    steps = [[s.op.name for s in read(n.params.program).steps] for n in found]
    assert [n[0] for n in steps] == ["broadcast_sub"] * 2 and steps[1][1] == "broadcast_mul"
    assert [n.count for n in found] == [1, 1]


@pytest.mark.parametrize("seed", range(30))
def test_random_graphs_in_two_groups(seed, all_large):
    rng = np.random.default_rng(100 + seed)
    shapes = list(SHAPES.values())[seed % len(SHAPES)]
    inputs, heads = random_graph(rng, 40, shapes, np.dtype("float32"))
    arrays = [rng.normal(size=s).astype(np.float32) for s in shapes]
    found = []
    for first, later in (fuse(heads[:2], heads[2:]), (heads[:2], heads[2:])):
        groups = [[Head(h) for h in group] for group in (first, later)]
        program = Program(lower(inputs, groups))
        outs = [np.empty(h.shape, h.dtype) for h in heads]
        arena = program.new_arena()
        for group in (0, 1):
            program.run(group, arena, [*arrays, *outs])
        found.append([x.tobytes() for x in outs])
    assert found[0] == found[1]


# ---- programs that are none --------------------------------------------------------------------

MALFORMED = {
    "no JSON": "[",
    "no list": "7",
    "no steps": "[1, [], [1]]",
    "unknown operator": '[1, [["no_such", {}, [0]]], [1]]',
    "not pointwise": '[1, [["dot", {}, [0, 0]]], [1]]',
    "reads later values": '[1, [["exp", {}, [1]]], [1]]',
    "negative": '[1, [["exp", {}, [-1]]], [1]]',
    "gives an input": '[1, [["exp", {}, [0]]], [0]]',
    "no such value": '[1, [["exp", {}, [0]]], [9]]',
    "not the last axes": '[1, [["sum", {"axis": "0"}, [0]], ["exp", {}, [1]]], [2]]',
    "unknown attribute": '[1, [["exp", {"x": 1}, [0]]], [1]]',
}


@pytest.mark.parametrize("program", MALFORMED.values(), ids=MALFORMED)
def test_malformed_programs_are_refused(program):
    with pytest.raises(mx.MXNetError):
        read(program)


def test_the_kernel_refuses_numbers_that_leave_their_bounds():
    spec, kernel = [((8,), 0)], native.kernel_number("exp")
    good = [0, 0, 1, kernel, 0, 1, 0, 1, 0]
    assert native.accepts("_fused_chain", spec, spec, good)
    rng = np.random.default_rng(0)
    for position in range(len(good)):
        for value in (-1, 2, 0.5, 200, 1e9, 1e300, np.nan, np.inf):
            changed = [*good]
            changed[position] = value
            native.accepts("_fused_chain", spec, spec, changed)  # must not crash
        assert not native.accepts("_fused_chain", spec, spec, good[:position])
    assert not native.accepts("_fused_chain", spec, spec, [*good, 0])
    assert not native.accepts("_fused_chain", spec, spec, [0, 0, 1, kernel, 0, 1, 1, 1, 0])
    assert not native.accepts("_fused_chain", spec, spec, [0, 0, 1, kernel, 0, 1, 0, 5, 0])
    assert not native.accepts("_fused_chain", spec, [((9,), 0)], good)
    for _ in range(300):
        native.accepts("_fused_chain", spec, spec, list(rng.integers(-2, 20, rng.integers(40))))
