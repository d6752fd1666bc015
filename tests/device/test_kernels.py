"""CUDA kernels against the bodies of their operators: on a GPU, or on the emulator."""

from __future__ import annotations

import hashlib
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest
from contract import SEED, STREAM, Call, calls, make, tolerance
from cuda_emulator import cache, compiler

import baryon as mx
from baryon import backend
from baryon.cuda import launch
from baryon.cuda.launch import own_source
from baryon.cuda.registry import _KERNELS, implementation
from baryon.ops import REGISTRY, get
from baryon.ops.philox import Philox
from baryon.ops.samples import Sample

implementation(get("softmax"))  # loads all families
HALVES = "float16", "bfloat16"


def halved(call: Call, dtype: str) -> Call | None:
    """A sample in a 16-bit type: the inputs that the first one's type decides about, and it."""
    kind = mx.dtypes.as_dtype(dtype)
    try:
        given = [kind, *(None for _ in call.arrays[1:])]
        asked, _ = call.op.infer_dtypes(call.attrs, given, [None] * 9)
        pairs = zip(call.arrays, asked, strict=True)
        arrays = [a if a.dtype.kind in "iub" else a.astype(d or kind) for a, d in pairs]
        made = Call(call.op, call.sample, dtype, arrays, call.attrs)
        call.op.infer(call.attrs, made.specs)
    except (mx.MXNetError, ValueError):
        return None
    return made


def samples() -> dict[str, Call]:
    """All samples of operators with kernels, those in float32 also in the 16-bit types."""
    found = {}
    for name, at in calls():
        if at[0].name not in _KERNELS:
            continue
        call = found[name] = make(*at)
        if call.dtype == "float32":
            kinds = HALVES if at[1] == 0 else HALVES[:1]  # of bfloat16 one sample an operator
            halves = {f"{name[:-7]}{dtype}": halved(call, dtype) for dtype in kinds}
            found.update({n: c for n, c in halves.items() if c is not None and n not in found})
    return found


SAMPLES = samples()
pytestmark = pytest.mark.skipif(compiler is None, reason="g++ is not installed")


def launched(call: Call) -> object:
    """What the kernel gives for a sample."""
    device = backend.of_context(mx.gpu(0))
    rng = {"rng": Philox(device.xp, SEED, STREAM)} if call.op.is_random else {}
    arrays = [device.asarray(a) for a in call.arrays]
    return implementation(call.op)(device.xp, *arrays, **call.attrs, **rng)


def compare(call: Call, found: object) -> None:
    found = found if isinstance(found, (tuple, list)) else (found,)
    try:
        agree(call, found, call.body())
    except AssertionError:  # a body that rounds after every step to 16 bits is no measure
        if call.dtype not in HALVES:
            raise
        agree(call, found, widened(call))


def widened(call: Call) -> list[np.ndarray]:
    """What the body gives where it computes in float32."""
    arrays = [a.astype(np.float32) if a.dtype.itemsize == 2 else a for a in call.arrays]
    rng = Philox(np, SEED, STREAM) if call.op.is_random else None
    return list(call.op.run(np, call.attrs, arrays, rng))


def agree(call: Call, found: object, want: list[np.ndarray]) -> None:
    assert len(found) == len(want)
    for got, expected in zip(found, want, strict=True):
        assert got.shape == expected.shape
        np.testing.assert_allclose(
            got.get().astype(np.float64), expected.astype(np.float64), **tolerance(call)
        )


def check(name: str, *arrays: object, dtype: str = "float32", rtol=1e-5, **attrs: object) -> None:
    """Hold an operator's kernel against its body; arrays that are no floats keep their type."""
    op, kind = get(name), mx.dtypes.as_dtype(dtype)
    arrays = [np.asarray(a) for a in arrays]
    arrays = [a.astype(kind) if a.dtype == np.float64 else a for a in arrays]
    sample = Sample({}, attrs, rtol=rtol, atol=rtol)
    call = Call(op, sample, dtype, arrays, op.attributes(attrs))
    found = launched(call)
    assert found is not NotImplemented
    compare(call, found)


@pytest.mark.parametrize("call", SAMPLES.values(), ids=list(SAMPLES))
def test_sample(call):
    found = launched(call)
    if found is NotImplemented:
        pytest.skip("left to the body")
    compare(call, found)


MANY = "Activation", "_backward_Activation", "sigmoid", "sign", "erfinv", "broadcast_mod", "where"


@pytest.mark.parametrize("name", MANY)
def test_a_pointwise_operator_of_many_steps_is_one_kernel(name):
    op = get(name)
    found = [(c, launched(c)) for i in range(len(op.samples)) for c in [make(op, i, "float32")]]
    served = [pair for pair in found if pair[1] is not NotImplemented]
    assert served
    for call, made in served:
        compare(call, made)


@pytest.mark.parametrize("dtype", ["float32", "float16"])
def test_where_with_a_condition_of_rows(dtype):
    x, y = mx.nd.ones((2, 2), ctx=mx.gpu(0), dtype=dtype), mx.nd.zeros((2, 2), ctx=mx.gpu(0))
    found = mx.nd.where(mx.nd.array([1, 0], ctx=mx.gpu(0)), x, y.astype(dtype))
    assert found.asnumpy().tolist() == [[1, 1], [0, 0]]


ALONE = "Activation", "_backward_LeakyReLU", "elemwise_mul", "broadcast_add", "Cast", "erf"


@pytest.mark.parametrize("name", ALONE)
@pytest.mark.parametrize("dtype", HALVES)
def test_single_pointwise_operator(name, dtype):
    op = get(name)
    calls = (halved(make(op, i, "float32"), dtype) for i in range(len(op.samples)))
    found = [(c, launched(c)) for c in calls if c is not None]
    served = [pair for pair in found if pair[1] is not NotImplemented]
    assert served
    for call, made in served:
        compare(call, made)


def test_every_kernel_serves_an_operator_and_a_sample():
    assert set(_KERNELS) <= set(REGISTRY)
    served = {c.op.name for c in SAMPLES.values() if launched(c) is not NotImplemented}
    by_cudnn = {"_attention", "_dropped_attention", "_backward_attention"}  # see test_attention.py
    assert set(_KERNELS) == served | by_cudnn


def test_sources_compile_for_hopper_without_a_warning(monkeypatch):
    """Every source with every combination of types that the samples ask for, in one run."""
    nvcc = shutil.which("nvcc")
    if nvcc is None:
        pytest.skip("nvcc is not installed")
    asked: dict[str, None] = {}

    def own(family, **settings):
        text = own_source(family, **settings)
        asked[text] = None
        return text

    launch._kernels.cache_clear()
    monkeypatch.setattr(launch, "own_source", own)
    for call in SAMPLES.values():
        launched(call)
    spaces = (f"namespace part{i} {{\n{text}\n}}" for i, text in enumerate(asked))
    whole = "\n".join((launch.common_source(), *spaces)).replace('extern "C" ', "")
    passed = cache() / f"{hashlib.sha256(whole.encode()).hexdigest()[:32]}.compiled"
    if not passed.exists():
        file = passed.with_suffix(".cu")
        file.write_text(whole)
        command = [nvcc, "-arch=sm_90", "-cubin", "-std=c++17", "-Werror", "all-warnings"]
        command += ["-o", str(passed) + ".part", str(file)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert not done.returncode, done.stderr[:4000]
        Path(str(passed) + ".part").replace(passed)
