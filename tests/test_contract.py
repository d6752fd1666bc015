"""The contract: what must hold for every operator, sample and dtype of the catalogue."""

from __future__ import annotations

import re

import numpy as np
import pytest
from contract import SEED, STREAM, Call, calls, differentiable, make, tolerance

import baryon as mx
from baryon import streams
from baryon.compiled import CachedGraph
from baryon.graph.gradient import gradient
from baryon.graph.graph import variable
from baryon.graph.lower import Head, accepted_params, lower
from baryon.graph.program import Program
from baryon.native import native
from baryon.ops import REGISTRY, Spec
from baryon.reference.text import run_examples

OPS = list(dict.fromkeys(REGISTRY.values()))
PUBLIC = [op for op in OPS if not op.name.startswith("_backward_")]
EVERY = dict(calls())
FIRST = dict(calls(all_dtypes=False))
EPSILON = 1e-6
# Operators that compute nothing without the user's code, graphs or out; they have their own tests.
MADE_BY_USERS = {"Custom", "_foreach", "_while_loop", "_cond", "_gradient", "_set_value"}


@pytest.fixture(params=EVERY.values(), ids=EVERY)
def call(request) -> Call:
    return make(*request.param)


@pytest.fixture(params=FIRST.values(), ids=FIRST)
def first(request) -> Call:
    """Each sample once, in its first dtype."""
    return make(*request.param)


def close(got, want, call, what):
    got, want = np.asarray(got, np.float64), np.asarray(want, np.float64)
    np.testing.assert_allclose(got, want, **tolerance(call), err_msg=what, equal_nan=True)


@pytest.mark.parametrize("op", PUBLIC, ids=lambda op: op.name)
def test_operator_is_declared_whole(op):
    assert op.samples or op.dynamic or op.name in MADE_BY_USERS, f"{op.name} has no sample"
    assert op.__doc__ and op.__doc__.strip(), f"{op.name} has no documentation"
    for key in (*op.present, *op.mutates) if not callable(op.mutates) else op.present:
        assert key in op.inputs
    for g in op.gradients:
        assert set(g.inputs) <= set(op.inputs)


@pytest.mark.parametrize("op", PUBLIC, ids=lambda op: op.name)
def test_documentation_example_runs(op):
    ran = run_examples(op.__doc__, op.name, {"mx": mx, "np": np})
    assert ran or op.derived, f"{op.name} has no example"


def told_elsewhere(op):
    """Attributes of the other operators that the documentation names."""
    named = re.findall(r"`([\w.]+)`", op.__doc__)
    found = (REGISTRY.get(n) or REGISTRY.get("_" + n.replace(".", "_")) for n in named)
    return {attr for other in found if other not in (None, op) for attr in other.attrs}


@pytest.mark.parametrize("op", PUBLIC, ids=lambda op: op.name)
def test_documentation_tells_of_every_attribute(op):
    if op.derived or op.name in MADE_BY_USERS:
        return
    silent = set(op.attrs) - set(re.findall(r"\w+", op.__doc__)) - {"ctx", op.variadic}
    missing = silent - told_elsewhere(op)
    assert not missing, f"{op.name} does not document {', '.join(sorted(missing))}"


def test_rules_predict_what_the_body_gives(call):
    rng = mx.ops.philox.Philox(np, SEED, STREAM) if call.op.is_random else None
    outs = call.op.run(np, call.attrs, call.arrays, rng)
    specs = call.op.infer(call.attrs, call.specs)
    assert len(outs) == len(specs) + len(call.op.mutated(call.attrs))
    for out, spec in zip(outs, specs, strict=False):
        assert tuple(np.shape(out)) == spec.shape


def run_kernel(call, arrays, outs):
    """Run the native kernel if it accepts this call; whether it did."""
    specs = [Spec(a.shape, a.dtype) for a in arrays]
    written = [arrays[i] for i in call.op.mutated(call.attrs)]
    numbers = accepted_params(
        call.op, call.attrs, specs, [Spec(o.shape, o.dtype) for o in (*outs, *written)]
    )
    if numbers is None:
        return False
    if call.op.is_random:
        numbers = (*numbers, SEED >> 32, SEED & 0xFFFFFFFF, STREAM)
    native.run_kernel(call.op.kernel, arrays, [*outs, *written], numbers)
    return True


def fresh(call):
    return [np.empty(s.shape, s.dtype) for s in call.op.infer(call.attrs, call.specs)]


@pytest.mark.skipif(native is None, reason="the native extension is absent")
def test_kernel_agrees_with_body(call):
    arrays, outs = [a.copy() for a in call.arrays], fresh(call)
    if not run_kernel(call, arrays, outs):
        return
    written = [arrays[i] for i in call.op.mutated(call.attrs)]
    for i, (got, want) in enumerate(zip((*outs, *written), call.body(), strict=True)):
        close(got, want, call, f"output {i}")


@pytest.mark.skipif(native is None, reason="the native extension is absent")
def test_kernel_may_write_over_its_declared_input(first):
    names = first.op.input_names(first.attrs, len(first.arrays))
    for index in range(len(first.op.output_names(first.attrs))):
        name = first.op.overwrites(index)
        if name is None:
            continue
        position = names.index(name) if name in names else 0
        arrays, outs = [a.copy() for a in first.arrays], fresh(first)
        if (
            outs[index].nbytes != arrays[position].nbytes
            or outs[index].dtype != arrays[position].dtype
        ):
            continue
        outs[index] = arrays[position].reshape(outs[index].shape)
        if run_kernel(first, arrays, outs):
            close(outs[index], first.body()[index], first, f"output {index} over input {name}")


def program_of(inputs, heads):
    """A function from arrays to the values of typed entries."""
    program = Program(lower(inputs, [[Head(h) for h in heads]]))

    def run(arrays):
        outs = [np.empty(h.shape, h.dtype) for h in heads]
        program.run(0, program.new_arena(), [*arrays, *outs], (SEED, STREAM))
        return outs

    return run


def draw_gradients(call):
    """Inputs with head gradients, and gradients of the checked inputs, as typed entries."""
    inputs, heads = call.graph()
    floats = [h for h in heads if mx.dtypes.is_float(h.dtype)]
    dys = [variable(f"dy{i}", h.spec) for i, h in enumerate(floats)]
    wrt = [inputs[i] for i in differentiable(call)]
    grads = gradient(floats, dys, wrt)
    pairs = [(w, g) for w, g in zip(wrt, grads, strict=True) if g is not None]
    return inputs, dys, floats, pairs


def numeric(function, arrays, position, direction):
    """Derivative of a list of outputs along a direction of one input, by central differences."""
    shifted = []
    for sign in (1, -1):
        moved = list(arrays)
        moved[position] = np.asarray(arrays[position] + sign * EPSILON * direction)
        shifted.append(function(moved))
    return [(a - b) / (2 * EPSILON) for a, b in zip(*shifted, strict=True)]


def in_double(call):
    return make(call.op, call.op.samples.index(call.sample), "float64")


def check_derivative(call, function, gradients, arrays, heads, positions, what):
    """Gradients contracted with random directions equal finite differences."""
    rng = np.random.default_rng(7)
    weights = [np.asarray(rng.uniform(-1, 1, h.shape)) for h in heads]
    results = gradients([*arrays, *weights])
    for position, grad in zip(positions, results, strict=True):
        direction = rng.uniform(-1, 1, arrays[position].shape)
        slope = numeric(function, arrays, position, direction)
        want = sum(float((w * s).sum()) for w, s in zip(weights, slope, strict=True))
        got = float((grad * direction).sum())
        scale = max(1.0, abs(want), float(np.abs(grad).max(initial=0)))
        assert abs(got - want) <= 1e-4 * scale, f"{what} of input {position}: {got} against {want}"


def test_gradient_against_finite_differences(first):
    if "float64" not in first.sample.dtypes or not differentiable(first):
        return
    call = in_double(first)
    inputs, dys, heads, pairs = draw_gradients(call)
    if not pairs:
        return
    positions = [[e.key for e in inputs].index(w.key) for w, _ in pairs]
    check_derivative(
        call, program_of(inputs, heads), program_of([*inputs, *dys], [g for _, g in pairs]),
        call.arrays, heads, positions, "gradient",
    )  # fmt: skip


def test_second_order_gradient(first):
    if (
        not first.sample.second_order
        or "float64" not in first.sample.dtypes
        or not differentiable(first)
    ):
        return
    call = in_double(first)
    inputs, dys, _, pairs = draw_gradients(call)
    sources = [*inputs, *dys]
    grads = [g for _, g in pairs]
    vs = [variable(f"v{i}", g.spec) for i, g in enumerate(grads)]
    wrt = [w for w, _ in pairs]
    second = gradient(grads, vs, wrt) if grads else []
    kept = [(w, s) for w, s in zip(wrt, second, strict=True) if s is not None]
    if not kept:
        return
    rng = np.random.default_rng(3)
    arrays = [*call.arrays, *[np.asarray(rng.uniform(-1, 1, d.shape)) for d in dys]]
    positions = [[e.key for e in sources].index(w.key) for w, _ in kept]
    check_derivative(
        call, program_of(sources, grads), program_of([*sources, *vs], [s for _, s in kept]),
        arrays, grads, positions, "second-order gradient",
    )  # fmt: skip


def run_eager(call):
    streams.seed(SEED)
    with mx.autograd.train_mode() if call.sample.train else mx.autograd.predict_mode():
        made = mx.nd.NDArray._apply(call.op, call.nds(), call.sample.attrs)
    return [x.asnumpy() for x in (made if isinstance(made, list) else [made])]


def run_symbolic(call):
    symbol, nds = call.symbol(), call.nds()
    by_name = {f"in{i}": x for i, x in enumerate(nds)}
    aux = {n: by_name[n] for n in symbol.list_auxiliary_states()}
    args = {n: by_name[n] for n in symbol.list_arguments()}
    executor = symbol.bind(mx.cpu(), args, grad_req="null", aux_states=aux)
    streams.seed(SEED)
    return [x.asnumpy() for x in executor.forward(is_train=call.sample.train)]


def run_hybridized(call):
    graph = CachedGraph(call.symbol()._entries, [f"in{i}" for i in range(len(call.arrays))])
    streams.seed(SEED)
    with mx.autograd.train_mode() if call.sample.train else mx.autograd.predict_mode():
        return [x.asnumpy() for x in graph(call.nds())]


def test_eager_symbolic_and_hybridized_agree(first):
    if not first.arrays or callable(first.op.mutates):
        return
    with mx.util.np_shape(first.op.name.startswith("_np")):
        eager, *others = (way(first) for way in (run_eager, run_symbolic, run_hybridized))
    for way, found in zip((run_symbolic, run_hybridized), others, strict=True):
        for i, (got, want) in enumerate(zip(found, eager, strict=True)):
            assert got.dtype == want.dtype
            close(got, want, first, f"{way.__name__}, output {i}")


def test_json_round_trip(first):
    if callable(first.op.mutates):
        return
    symbol = first.symbol()
    text = symbol.tojson(remove_amp_cast=False)
    if first.op.derived:
        with pytest.raises(mx.MXNetError, match=f"operator {first.op.name} belongs to gradients"):
            mx.sym.load_json(text)
        return
    again = mx.sym.load_json(text)
    assert again.tojson(remove_amp_cast=False) == text
    assert again._entries[0].node.params == symbol._entries[0].node.params


def test_unknown_attribute_is_refused(first):
    with pytest.raises(mx.MXNetError, match=f"operator {first.op.name}.*no_such_attribute"):
        first.op.attributes({**first.sample.attrs, "no_such_attribute": 1})
