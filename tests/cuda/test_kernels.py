"""CUDA kernels against the bodies of their operators, on the emulator."""

from __future__ import annotations

import hashlib
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).parent))  # the stand-in, from wherever pytest starts
from contract import SEED, STREAM, Call, calls, make, tolerance
from cuda_emulator import cache, compiler
from standin import on_device, xp

from baryon.cuda import launch
from baryon.cuda.launch import own_source
from baryon.cuda.registry import _KERNELS, implementation
from baryon.ops import REGISTRY, get
from baryon.ops.philox import Philox

implementation(get("softmax"))  # loads all families
SAMPLES = {name: at for name, at in calls() if at[0].name in _KERNELS}
pytestmark = pytest.mark.skipif(compiler is None, reason="g++ is not installed")


def launched(call: Call) -> object:
    """What the kernel gives for a sample."""
    rng = {"rng": Philox(xp, SEED, STREAM)} if call.op.is_random else {}
    arrays = [on_device(a.copy()) for a in call.arrays]
    return _KERNELS[call.op.name](xp, *arrays, **call.attrs, **rng)


def compare(call: Call, found: object) -> None:
    found = found if isinstance(found, (tuple, list)) else (found,)
    want = call.body()
    assert len(found) == len(want)
    for got, expected in zip(found, want, strict=True):
        assert got.shape == expected.shape
        np.testing.assert_allclose(
            np.asarray(got).astype(np.float64), expected.astype(np.float64), **tolerance(call)
        )


@pytest.mark.parametrize("where", SAMPLES.values(), ids=list(SAMPLES))
def test_sample(where):
    call = make(*where)
    found = launched(call)
    if found is NotImplemented:
        pytest.skip("left to the body")
    compare(call, found)


def test_every_kernel_serves_an_operator_and_a_sample():
    assert set(_KERNELS) <= set(REGISTRY)
    served = {at[0].name for at in SAMPLES.values() if launched(make(*at)) is not NotImplemented}
    assert set(_KERNELS) == served


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
    for at in SAMPLES.values():
        launched(make(*at))
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
