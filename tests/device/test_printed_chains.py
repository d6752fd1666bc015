"""Chains printed as CUDA: every operator's expression against its body, and all broadcasting."""

from __future__ import annotations

import hashlib
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest
from cuda_emulator import cache, compiler

import baryon as mx
from baryon import backend
from baryon.cuda import chain as printed
from baryon.cuda.launch import common_source, file_text
from baryon.graph.fuse import fuse
from baryon.graph.graph import draw, variable, walk
from baryon.ops import REGISTRY, get
from baryon.ops.chain import Chain, Step, printable, read, written
from baryon.ops.op import Spec

NO_FUNCTION_ON_THE_CPU = {"erfinv", "_npx_erfinv"}  # where the emulator runs CUDA's sources


def expressions() -> list[tuple]:
    """An operator with attributes of each of its samples, wherever it can be printed for floats."""
    found: dict[tuple, None] = {}
    for op in dict.fromkeys(REGISTRY.values()):
        for sample in op.samples if op.element is not None else ():
            raw = dict(sample.attrs) | ({op.variadic: 3} if op.variadic else {})
            attrs = op.attributes(raw)
            ins = [np.dtype("float32")] * len(op.input_names(attrs))
            (out,) = op.infer_dtypes(attrs, ins, [None])[1][:1]
            if op.is_pointwise(attrs) and printable(op, attrs, tuple(ins), out):
                found[op, attrs] = None
    return list(found)


def together(pairs: list[tuple]) -> str:
    """A program that applies each operator to the inputs, and reads all of them."""
    steps, total = [], get("add_n")
    for op, attrs in [*pairs, (total, total.attributes({"num_args": 3}))]:
        count = attrs[op.variadic] if op.many else len(op.input_names(attrs))
        steps.append(Step(op, attrs, tuple(range(count))))
    return written(Chain(3, tuple(steps), tuple(range(3, 3 + len(steps)))))


EXPRESSIONS = expressions()
PARTS = [EXPRESSIONS[i : i + 20] for i in range(0, len(EXPRESSIONS), 20)]
emulated = pytest.mark.skipif(compiler is None, reason="g++ is not installed")


def run(program: str, arrays: list[np.ndarray]) -> tuple[list, list]:
    """What the printed kernel gives, and the body."""
    op, device = get("_fused_chain"), backend.of_context(mx.gpu(0))
    attrs = op.attributes({"program": program, "num_args": len(arrays)})
    got = printed.fused_chain(device.xp, *map(device.asarray, arrays), **attrs)
    assert got is not NotImplemented
    return [x.get() for x in got], [np.asarray(x) for x in op.run(np, attrs, arrays)]


@emulated
@pytest.mark.parametrize(
    "part,dtype", [*((i, "float32") for i in range(len(PARTS))), (1, "float64")]
)
def test_expressions(part, dtype):
    pairs = [p for p in PARTS[part] if p[0].name not in NO_FUNCTION_ON_THE_CPU]
    special = np.array([np.nan, np.inf, -np.inf, 0.0, -0.0, 2.5, -2.5, 1.0, -1.0, 0.3])
    a, b = np.meshgrid(special, special)
    rng = np.random.default_rng(0)
    more = rng.uniform(0.1, 0.9, (3, 60))
    arrays = [np.concatenate([s.ravel(), m]) for s, m in zip((a, b, a[::-1]), more, strict=True)]
    arrays = [np.ascontiguousarray(x, dtype) for x in arrays]
    got, want = run(together(pairs), arrays)
    for (op, attrs), x, y in zip(pairs, got, want, strict=False):
        tolerance = 2e-5 if dtype == "float32" else 1e-9
        np.testing.assert_allclose(
            x, y, rtol=tolerance, atol=tolerance, err_msg=f"{op.name} {dict(attrs)}"
        )


SHAPES = {
    "scalars": [(), (1,), ()],
    "whole": [(3, 8), (3, 8), (3, 8)],
    "odd": [(5, 7), (5, 7), (7,)],
    "rows and columns": [(6, 8), (1, 8), (6, 1)],
    "channels": [(2, 3, 2, 4), (1, 3, 1, 1), (2, 1, 2, 1)],
    "outer": [(4, 1, 8), (1, 5, 1), (8,)],
    "five axes": [(2, 1, 3, 1, 4), (1, 2, 3, 5, 1), (2, 2, 1, 5, 4)],
}


CASES = [(name, "float32") for name in SHAPES]
CASES += [("rows and columns", "float16"), ("odd", "bfloat16")]


@emulated
@pytest.mark.parametrize("name,dtype", CASES)
def test_broadcasting(name, dtype):
    shapes = SHAPES[name]
    rng = np.random.default_rng(0)
    arrays = [rng.normal(size=s).astype(mx.dtypes.as_dtype(dtype)) for s in shapes]
    x, y, z = (variable(str(i), Spec(a.shape, a.dtype)) for i, a in enumerate(arrays))
    product = draw(get("broadcast_mul"), [x, y], {})[0]
    total = draw(get("broadcast_add"), [product, z], {})[0]
    ((head,),) = fuse([total * 0.3 - 1], on_gpu=True)
    if product.shape != total.shape:
        head = fuse([draw(get("broadcast_sub"), [z, y], {})[0] * 2], on_gpu=True)[0][0]
    reads = [arrays[int(e.node.name)] for e in head.node.inputs]
    got, want = run(head.node.params.program, reads)
    np.testing.assert_array_equal(got[0], want[0])


def test_only_floats_are_fused_for_a_gpu():
    x = variable("x", Spec((4,), np.dtype("int32")))
    (heads,) = fuse([x * 2 + 1], on_gpu=True)
    assert not any(n.op is get("_fused_chain") for n in walk(heads))
    y = variable("y", Spec((4,), np.dtype("float32")))
    (heads,) = fuse([y * 2 + 1], on_gpu=True)
    assert heads[0].node.op is get("_fused_chain")


@emulated
def test_a_net_on_a_gpu_runs_chains():
    net = mx.gluon.nn.HybridSequential()
    net.add(mx.gluon.nn.HybridLambda(lambda F, x: F.exp(-F.square(x)) * x + F.tanh(x)))
    net.hybridize()
    x = np.random.default_rng(0).normal(size=(4, 6)).astype(np.float32)
    found = []
    for ctx in (mx.gpu(0), mx.cpu()):
        data = mx.nd.array(x, ctx=ctx)
        data.attach_grad()
        with mx.autograd.record():
            out = net(data)
        out.backward()
        found.append((out.asnumpy(), data.grad.asnumpy()))
    for got, want in zip(*found, strict=True):
        np.testing.assert_allclose(got, want, rtol=1e-5, atol=1e-6)


def test_sources_compile_for_hopper_without_a_warning():
    nvcc = shutil.which("nvcc")
    if nvcc is None:
        pytest.skip("nvcc is not installed")
    text = [common_source(), file_text("chain.cuh")]
    varies = ((True, True, True), (False, True, False), (True, False, True))
    for i, pairs in enumerate(PARTS):
        for dtype, take, is_long in (("float64", 2, True), ("float16", 4, False)):
            own = printed.source(read(together(pairs)), (np.dtype(dtype),) * 3, varies)
            body = printed.declared(take, is_long) + own
            text.append(f"namespace part{i}_{dtype} {{\n{body}\n}}\n")
    whole = "".join(text).replace('extern "C" ', "")
    passed = cache() / f"{hashlib.sha256(whole.encode()).hexdigest()[:32]}.compiled"
    if passed.exists():
        return
    file = passed.with_suffix(".cu")
    file.write_text(whole)
    command = [nvcc, "-arch=sm_90", "-ptx", *printed.OPTIONS, "-Werror", "all-warnings"]
    command += ["-diag-suppress", "177", "-o", f"{passed}.part", str(file)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert not done.returncode, done.stderr[:4000]
    Path(f"{passed}.part").replace(passed)
