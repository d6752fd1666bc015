"""Graphs for cuDNN compute what operators do, on its stand-in or a GPU; the real one takes them."""

from __future__ import annotations

import sys
from functools import partial

import numpy as np
import pytest
import stand_in
from stand_in import cudnn as fake
from test_kernels import SAMPLES, compare, launched

from baryon.cuda import convolution, cudnn

NAMES = {"Convolution", "_fused_Convolution"}
NAMES |= {f"_backward_Convolution_{what}" for what in ("data", "weight")}
CASES = {name: call for name, call in SAMPLES.items() if call.op.name in NAMES}
FIRST = next(iter(CASES.values()))


def on_hardware() -> bool:
    return sys.modules.get("cupy") is not stand_in.cupy


@pytest.fixture(autouse=True)
def _cudnn(monkeypatch):
    """The stand-in's cuDNN in the place of the real one, which a machine without a GPU lacks."""
    if not on_hardware():
        monkeypatch.setitem(sys.modules, "cudnn", fake.module())
    kept = cudnn.library
    kept.cache_clear()
    yield
    kept.cache_clear()
    cudnn._plans.clear()
    cudnn._handles.clear()


@pytest.mark.parametrize("call", CASES.values(), ids=list(CASES))
def test_graph_computes_what_the_operator_does(call):
    if cudnn.library() is None:
        pytest.skip("cuDNN's Python front end is not installed")
    found = launched(call)
    if found is NotImplemented:
        pytest.skip("left to the body")
    compare(call, found)
    assert on_hardware() or all(cudnn._plans.values())


def test_plans_are_kept(counts):
    for _ in range(3):
        launched(FIRST)
    assert counts["plans"] == 1


def test_what_cudnn_does_not_support_is_computed_otherwise(counts, monkeypatch):
    monkeypatch.setattr(fake.pygraph, "build_plans", _refuse)
    compare(FIRST, launched(FIRST))
    assert [*cudnn._plans.values()] == [None]


def _refuse(graph):
    raise fake.cudnnGraphNotSupportedError("no engine")


def test_it_can_be_turned_off(monkeypatch):
    monkeypatch.setenv("BARYON_CUDNN", "0")
    cudnn.library.cache_clear()
    assert cudnn.library() is None
    compare(FIRST, launched(FIRST))
    assert not cudnn._plans


class _Drawn:
    """An array as far as drawing a graph looks at it."""

    def __init__(self, *shape, dtype=np.float16):
        plain = np.empty(shape, dtype)
        self.shape, self.strides, self.dtype = shape, plain.strides, plain.dtype
        self.ndim, self.size = plain.ndim, plain.size


def test_real_cudnn_takes_the_graphs(monkeypatch):
    """Where it is installed it checks shapes, which needs no GPU."""
    monkeypatch.delitem(sys.modules, "cudnn", raising=False)
    lib = pytest.importorskip("cudnn", exc_type=ImportError)
    try:
        lib.backend_version()
        lib.pygraph()
    except RuntimeError:
        pytest.skip("there is no cuDNN library")
    monkeypatch.setattr(cudnn, "library", lambda: lib)
    attrs = dict(layout="NHWC", num_group=1, kernel=(3, 3), stride=(2, 2), dilate=(), pad=(1, 1))
    case, out = convolution._Case(attrs), _Drawn(4, 28, 28, 32)
    x, w, vector = _Drawn(4, 56, 56, 64), _Drawn(32, 3, 3, 64), _Drawn(32)
    draws = (
        partial(convolution._draw_forward, case, (x, w, vector, vector, out, out), 0.0, 6.0),
        partial(convolution._draw_data, case, (out, w, x)),
        partial(convolution._draw_weight, case, (out, x, w)),
    )
    for draw in draws:
        kinds = {
            "intermediate_data_type": lib.data_type.FLOAT,
            "compute_data_type": lib.data_type.FLOAT,
        }
        graph = lib.pygraph(io_data_type=lib.data_type.HALF, **kinds)
        draw(graph)
        graph.validate()
