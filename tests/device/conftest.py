"""Tests of GPU arrays: on a real GPU where there is one, else on a stand-in for CuPy."""

from __future__ import annotations

import sys
from collections.abc import Iterator

import pytest
import stand_in
import stand_in.cudnn
from stand_in.cublas import library

from baryon import context, cuda
from baryon.cuda import blas, cudnn
from baryon.ops import REGISTRY
from baryon.ops.philox import Philox

ON_HARDWARE = context.num_gpus() > 0


@pytest.fixture(scope="module", autouse=True)
def _cupy() -> Iterator[None]:
    """Arrays of ``mx.gpu(0)`` can be made in these tests."""
    if ON_HARDWARE:
        yield
        return
    stand_in.install()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(blas, "library", lambda major: library)
        yield
    stand_in.remove()


@pytest.fixture
def cudnn_place(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The stand-in's cuDNN in the place of the real one, which a machine without a GPU lacks."""
    if not ON_HARDWARE:
        monkeypatch.setitem(sys.modules, "cudnn", stand_in.cudnn.module())
    kept = cudnn.library
    kept.cache_clear()
    yield
    kept.cache_clear()
    cudnn._plans.clear()
    cudnn._handles.clear()


def _forget_implementations() -> None:
    for op in REGISTRY.values():
        op._on_device = None


@pytest.fixture(scope="module")
def bodies() -> Iterator[None]:
    """Operators run by their bodies, and draw by them, even where there are kernels."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(cuda, "implementation", lambda op: None)
        patch.setattr(cuda, "Generator", Philox)
        _forget_implementations()
        yield
    _forget_implementations()


@pytest.fixture
def counts():
    """What the stand-in counts: launches, synchronizations, allocations, captures and so on."""
    if ON_HARDWARE:
        pytest.skip("a real GPU does not count")
    stand_in.counts.clear()
    return stand_in.counts
