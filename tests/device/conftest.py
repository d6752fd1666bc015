"""Tests of GPU arrays: on a real GPU where there is one, else on a stand-in for CuPy."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import stand_in
from stand_in.cublas import library

from baryon import context, cuda
from baryon.cuda import blas
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
