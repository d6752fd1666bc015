"""Graphs for cuDNN compute what operators do, on its stand-in or a GPU; the real one takes them."""

from __future__ import annotations

import sys
from functools import partial

import numpy as np
import pytest
import stand_in
from stand_in import cudnn as fake
from test_kernels import SAMPLES, compare, launched

from baryon.cuda import convolution, cudnn, sdpa
from baryon.cuda import fully_connected as linear
from baryon.ops.philox import Philox

NAMES = {"Convolution", "_fused_Convolution"}
NAMES |= {f"_backward_Convolution_{what}" for what in ("data", "weight")}
CASES = {name: call for name, call in SAMPLES.items() if call.op.name in NAMES}
FIRST = next(iter(CASES.values()))


pytestmark = pytest.mark.usefixtures("cudnn_place")


def on_hardware() -> bool:
    return sys.modules.get("cupy") is not stand_in.cupy


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
    assert {*cudnn._plans.values()} == {None}


def test_what_cudnn_does_not_join_follows_a_plain_convolution(counts, monkeypatch):
    def check(graph):
        if graph.steps != ["conv_fprop"]:
            _refuse(graph)
        plain.append(graph)

    plain = []
    monkeypatch.setattr(fake.pygraph, "check_support", check)
    for call in CASES.values():
        if call.op.name == "_fused_Convolution":
            compare(call, launched(call))
    assert plain


def _refuse(graph):
    raise fake.cudnnGraphNotSupportedError("no engine")


def test_it_can_be_turned_off(monkeypatch):
    monkeypatch.setenv("BARYON_CUDNN", "0")
    cudnn.library.cache_clear()
    assert cudnn.library() is None
    compare(FIRST, launched(FIRST))
    assert not cudnn._plans


HALF = partial(np.empty, dtype=np.float16)
WINDOW = {"kernel": (3, 3), "stride": (2, 2), "dilate": (), "pad": (1, 1), "layout": "NHWC"}


def _convolutions():
    attrs = {**WINDOW, "num_filter": 32, "num_group": 1}
    x, w, y, vector = HALF((4, 56, 56, 64)), HALF((32, 3, 3, 64)), HALF((4, 28, 28, 32)), HALF(32)
    bounds = {"adds": True, "low": 0.0, "high": 6.0}
    convolution.fused_convolution(np, x, w, vector, vector, y, **bounds, **attrs)
    convolution.backward_data(np, y, w, shape=x.shape, **attrs)
    convolution.backward_weight(np, y, x, no_bias=True, **attrs)


def _attention():
    x, y, sums = HALF((128, 4, 12 * 3 * 64)), HALF((128, 4, 12 * 64)), np.empty((48, 128), "f4")
    how = {"num_args": 1, "layout": "self", "heads": 12, "scale": 0.125}
    sdpa.inferred(np, [x], HALF((1, 128, 128)), "self", 12, 0.125)
    sdpa.attention(np, x, **how)
    sdpa.dropped_attention(np, x, p=0.1, rng=Philox(np, 1, 2), **how)
    sdpa.backward_attention(np, x, y, sums, y, p=0.0, **how)
    sdpa.backward_attention(np, x, y, sums, y, np.empty(2, np.int64), p=0.1, **how)


def _products():
    x, w, vector = HALF((8, 16, 768)), HALF((3072, 768)), HALF(3072)
    how = {"num_hidden": 3072, "flatten": False}
    linear.fully_connected(np, x, w, vector, no_bias=False, **how)
    linear.fused_fully_connected(np, x, w, vector, act="relu", keeps=False, **how)
    linear.fused_fully_connected(np, x, w, vector, act="gelu", keeps=True, **how)


@pytest.mark.parametrize("call, count", [(_convolutions, 3), (_attention, 5), (_products, 3)])
def test_real_cudnn_takes_the_graphs(call, count, monkeypatch):
    """Where it is installed it checks shapes, which needs no GPU."""
    monkeypatch.delitem(sys.modules, "cudnn", raising=False)
    lib = pytest.importorskip("cudnn", exc_type=ImportError)
    try:
        lib.backend_version()
        lib.pygraph()
    except RuntimeError:
        pytest.skip("there is no cuDNN library")
    draws = []
    monkeypatch.setattr(cudnn, "library", lambda: lib)
    monkeypatch.setattr(cudnn, "run", lambda xp, key, dtype, draw, arrays: not draws.append(draw))
    call()
    assert len(draws) == count
    wide = {
        "intermediate_data_type": lib.data_type.FLOAT,
        "compute_data_type": lib.data_type.FLOAT,
    }
    for draw in draws:
        graph = lib.pygraph(io_data_type=lib.data_type.HALF, **wide)
        draw(graph)
        graph.validate()
