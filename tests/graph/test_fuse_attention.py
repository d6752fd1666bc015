"""Attention drawn as one operator: which graphs are, and that values are those of its parts."""

from __future__ import annotations

import os
import subprocess
import sys

import numpy as np
import pytest
from test_layout import names

import baryon as mx
from baryon.native import native

S = mx.sym
QKV, Q, KV = S.var("qkv"), S.var("q"), S.var("kv")
A, B, C, SHORT = S.var("a"), S.var("b"), S.var("c"), S.var("short")
SHAPES = {
    "qkv": (37, 2, 60),
    **{"q": (19, 2, 20), "kv": (131, 2, 40)},
    **{"a": (4, 33, 10), "b": (4, 140, 10), "c": (4, 140, 7)},
    **{"mask": (1, 33, 140), "same": (4, 1, 140), "cross": (4, 19, 131), "short": (1, 7, 10)},
    **{"length": (4, 37), "long": (4, 33)},
}


def self_attention(soften):
    scores = S.contrib.interleaved_matmul_selfatt_qk(QKV, heads=2)
    return S.contrib.interleaved_matmul_selfatt_valatt(QKV, soften(scores), heads=2)


def cross_attention(soften):
    scores = S.contrib.interleaved_matmul_encdec_qk(Q, KV, heads=2)
    return S.contrib.interleaved_matmul_encdec_valatt(KV, soften(scores), heads=2)


def stacked(soften, queries=A, keys=B, values=C):
    return S.batch_dot(soften(S.batch_dot(queries, keys, transpose_b=True)), values)


def plus(mask):
    return lambda x: S.softmax(S.broadcast_add(x / 3, S.var(mask)))


def with_length(name):
    return lambda x: S.softmax(x, S.var(name), use_length=True)


FUSED = {
    "self": self_attention(S.softmax),
    "self, dropout": self_attention(lambda x: S.Dropout(S.softmax(x), p=0.3)),
    "self, length": self_attention(with_length("length")),
    "self, temperature": self_attention(lambda x: S.softmax(x, axis=2, temperature=2.0)),
    "cross": cross_attention(S.softmax),
    "cross, mask": cross_attention(lambda x: S.softmax(x + S.var("cross"))),
    "stacked": stacked(S.softmax),
    "stacked, scaled before": stacked(S.softmax, queries=A * 0.25),
    "stacked, scaled after": stacked(lambda x: S.softmax(2 * x * 0.3)),
    "stacked, mask of all heads": stacked(plus("mask")),
    "stacked, mask of all queries": stacked(plus("same")),
    "stacked, length": stacked(with_length("long")),
}
LEFT = {
    "not the last axis": stacked(lambda x: S.softmax(x, axis=1)),
    "scores of other projections": S.contrib.interleaved_matmul_selfatt_valatt(
        2 * QKV, S.softmax(S.contrib.interleaved_matmul_selfatt_qk(QKV, heads=2)), heads=2
    ),
    "dropout that drops": stacked(lambda x: S.Dropout(S.softmax(x), p=0.3, mode="always")),
    "few queries": stacked(S.softmax, SHORT, SHORT, SHORT),
}


def bound(symbol, dtype="float32", grad_req="null"):
    shapes = {n: SHAPES[n] for n in symbol.list_arguments()}
    types = dict.fromkeys(shapes, dtype)
    executor = symbol.simple_bind(mx.cpu(), grad_req=grad_req, type_dict=types, **shapes)
    rng = np.random.default_rng(5)
    for name, array in executor.arg_dict.items():
        is_length = name in ("length", "long")
        array[:] = rng.integers(0, 150, array.shape) if is_length else rng.normal(size=array.shape)
    return executor


def both(symbol, monkeypatch, **how):
    """Names of the instructions and the result, fused, and the result of single operators."""
    executor = bound(symbol, **how)
    got = executor.forward(is_train=False)[0].asnumpy()
    monkeypatch.setenv("BARYON_FUSE", "0")
    want = bound(symbol, **how).forward(is_train=False)[0].asnumpy()
    return names(executor, train=False), got, want


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("name", FUSED)
def test_attention_is_one_operator(name, dtype, monkeypatch):
    ran, got, want = both(FUSED[name], monkeypatch, dtype=dtype)
    assert ran == ["_fused_attention"]
    np.testing.assert_allclose(got, want, **{"rtol": 1e-4, "atol": 1e-5})


@pytest.mark.parametrize("name", LEFT)
def test_what_is_not_attention_is_left(name, monkeypatch):
    ran, got, want = both(LEFT[name], monkeypatch)
    assert "_fused_attention" not in ran
    if name != "dropout that drops":
        np.testing.assert_allclose(got, want, rtol=1e-5, atol=1e-6)


def test_weights_that_somebody_reads_are_kept(monkeypatch):
    weights = S.softmax(S.batch_dot(A, B, transpose_b=True))
    symbol = S.Group([S.batch_dot(weights, C), weights])
    executor = bound(symbol)
    out, seen = (x.asnumpy() for x in executor.forward(is_train=False))
    assert "_fused_attention" not in names(executor, train=False)
    np.testing.assert_allclose(out, seen @ executor.arg_dict["c"].asnumpy(), rtol=1e-4, atol=1e-5)


def test_gradients_read_the_weights():
    executor = bound(FUSED["stacked"], grad_req="write")
    executor.forward(is_train=True)
    executor.backward(mx.nd.ones((4, 33, 7)))
    assert "_fused_attention" not in names(executor)
    a, b, c = (executor.arg_dict[n].asnumpy().astype(float) for n in "abc")
    scores = a @ b.swapaxes(1, 2)
    weights = np.exp(scores - scores.max(-1, keepdims=True))
    weights /= weights.sum(-1, keepdims=True)
    want = np.broadcast_to(weights.sum(1)[:, :, None], c.shape)
    np.testing.assert_allclose(executor.grad_dict["c"].asnumpy(), want, rtol=1e-4, atol=1e-5)


def test_rows_without_any_key_and_scores_out_of_range():
    executor = bound(FUSED["stacked, mask of all heads"])
    mask = np.zeros((1, 33, 140), np.float32)
    mask[0, 3] = -np.inf  # 0 / 0, as softmax alone gives
    mask[0, 4, 1:] = -np.inf
    mask[0, 5] = 1e30  # all the same, beside which scores vanish
    executor.arg_dict["mask"][:] = mask
    out, values = executor.forward(is_train=False)[0].asnumpy(), executor.arg_dict["c"].asnumpy()
    assert np.isnan(out[:, 3]).all() and np.isfinite(np.delete(out, 3, axis=1)).all()
    np.testing.assert_allclose(out[:, 4], values[:, 0], rtol=1e-6)
    np.testing.assert_allclose(out[:, 5], values.mean(1), rtol=1e-4, atol=1e-6)


@pytest.mark.skipif(native is None, reason="the native extension is absent")
def test_results_do_not_depend_on_threads():
    before, found = mx.num_threads(), []
    try:
        for threads in (1, 2, 3):
            mx.set_num_threads(threads)
            found.append(bound(FUSED["stacked"]).forward(is_train=False)[0].asnumpy())
    finally:
        mx.set_num_threads(before)
    np.testing.assert_array_equal(found[0], found[1])
    np.testing.assert_array_equal(found[0], found[2])


CHECK = """
import numpy as np
from contract import calls, make
from test_contract import fresh, run_kernel
for name, place in calls():
    if name.startswith("_fused_attention"):
        call = make(*place)
        outs = fresh(call)
        assert run_kernel(call, call.arrays, outs), name
        np.testing.assert_allclose(outs[0], call.body()[0], rtol=1e-4, atol=1e-5, err_msg=name)
"""


@pytest.mark.skipif(native is None, reason="the native extension is absent")
@pytest.mark.parametrize("isa", ["baseline", "v3"])
def test_every_instruction_set(isa):
    where = os.path.dirname(os.path.dirname(__file__))
    paths = os.pathsep.join([where, *sys.path])
    given = {**os.environ, "BARYON_ISA": isa, "PYTHONPATH": paths}
    done = subprocess.run([sys.executable, "-c", CHECK], env=given, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
