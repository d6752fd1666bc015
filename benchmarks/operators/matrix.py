"""Operators on matrices: reductions, softmax and norms, shapes, indexing, ordering, products."""

from __future__ import annotations

import numpy as np

from .case import BOTH_WAYS, LENGTHS, MATRICES, SQUARES, Case, matrices, uniform, vectors


def _columns(rng: np.random.RandomState, rows: int, columns: int) -> np.ndarray:
    return uniform(rng, columns)


def _labels(rng: np.random.RandomState, rows: int, columns: int) -> np.ndarray:
    return rng.randint(0, columns, rows).astype(np.float32)


def _rows(rng: np.random.RandomState, rows: int, columns: int) -> np.ndarray:
    return rng.randint(0, rows, rows).astype(np.float32)


def _squares(*names: str) -> object:
    return lambda rng, size: {n: uniform(rng, SQUARES[size], SQUARES[size]) for n in names}


def _batches(rng: np.random.RandomState, size: str) -> dict:
    side = SQUARES[size] // 4
    return {n: uniform(rng, 16, side, side) for n in "ab"}


def _reduction(op: str, torch: object, numpy: object, equal: bool = True) -> list:
    """Over everything, over rows, over columns; not `equal` where MXNet is rough on the first."""
    found = [
        Case(op, vectors("a"), lambda nd, a: getattr(nd, op)(a), lambda t, a: torch(t, a, None),
             lambda np, a: numpy(np, a, None), equal=equal, bound=True),
    ]  # fmt: skip
    for axis in (0, 1):
        found.append(
            Case(op, matrices("a"), lambda nd, a, axis=axis: getattr(nd, op)(a, axis=axis),
                 lambda t, a, axis=axis: torch(t, a, axis),
                 lambda np, a, axis=axis: numpy(np, a, axis), form=f"axis{axis}", bound=True)
        )  # fmt: skip
    return found


REDUCTIONS = [
    *_reduction("sum", lambda t, a, axis: a.sum(axis), lambda np, a, axis: a.sum(axis)),
    *_reduction("mean", lambda t, a, axis: a.mean(axis), lambda np, a, axis: a.mean(axis)),
    *_reduction("max", lambda t, a, axis: a.amax(() if axis is None else axis),
                lambda np, a, axis: a.max(axis)),
    *_reduction("min", lambda t, a, axis: a.amin(() if axis is None else axis),
                lambda np, a, axis: a.min(axis)),
    *_reduction("nansum", lambda t, a, axis: a.nansum(axis),
                lambda np, a, axis: np.nansum(a, axis)),
    *_reduction("norm", lambda t, a, axis: t.linalg.vector_norm(a, dim=axis),
                lambda np, a, axis: np.linalg.norm(a, axis=axis), equal=False),
    Case("prod", matrices("a"), lambda nd, a: nd.prod(a, axis=1), lambda t, a: a.prod(1),
         lambda np, a: a.prod(1), bound=True),
    Case("argmax", matrices("a"), lambda nd, a: nd.argmax(a, axis=1),
         lambda t, a: a.argmax(1).float(), lambda np, a: a.argmax(1)),
    Case("argmin", matrices("a"), lambda nd, a: nd.argmin(a, axis=1),
         lambda t, a: a.argmin(1).float(), lambda np, a: a.argmin(1)),
]  # fmt: skip

NORMALISED = [
    Case("softmax", matrices("a"), lambda nd, a: nd.softmax(a), lambda t, a: a.softmax(-1),
         bound=True),
    Case("softmax", matrices("a"), lambda nd, a: nd.softmax(a), lambda t, a: a.softmax(-1),
         wrt=("a",), bound=True, traffic=BOTH_WAYS),
    Case("log_softmax", matrices("a"), lambda nd, a: nd.log_softmax(a),
         lambda t, a: a.log_softmax(-1), bound=True),
    Case("log_softmax", matrices("a"), lambda nd, a: nd.log_softmax(a),
         lambda t, a: a.log_softmax(-1), wrt=("a",), bound=True, traffic=BOTH_WAYS),
    Case("softmin", matrices("a"), lambda nd, a: nd.softmin(a), lambda t, a: (-a).softmax(-1),
         bound=True),
    Case("softmax", matrices("a"), lambda nd, a: nd.softmax(a, axis=0), lambda t, a: a.softmax(0),
         form="axis0", bound=True),
    Case("LayerNorm", matrices("a", g=_columns, b=_columns),
         lambda nd, a, g, b: nd.LayerNorm(a, g, b, eps=1e-5),
         lambda t, a, g, b: t.nn.functional.layer_norm(a, g.shape, g, b, 1e-5), bound=True),
    Case("LayerNorm", matrices("a", g=_columns, b=_columns),
         lambda nd, a, g, b: nd.LayerNorm(a, g, b, eps=1e-5),
         lambda t, a, g, b: t.nn.functional.layer_norm(a, g.shape, g, b, 1e-5),
         wrt=("a", "g", "b"), bound=True, traffic=BOTH_WAYS),
    Case("SoftmaxOutput", matrices("a", label=_labels),
         lambda nd, a, label: nd.SoftmaxOutput(a, label), lambda t, a, label: a.softmax(-1)),
]  # fmt: skip

SHAPES = [
    Case("transpose", matrices("a"), lambda nd, a: nd.transpose(a),
         lambda t, a: a.t().contiguous(), lambda np, a: a.T.copy(), bound=True),
    Case("SwapAxis", lambda rng, size: {"a": uniform(rng, 8, *MATRICES[size])},
         lambda nd, a: nd.swapaxes(a, 0, 1), lambda t, a: a.transpose(0, 1).contiguous(),
         lambda np, a: a.swapaxes(0, 1).copy(), bound=True),
    Case("reverse", matrices("a"), lambda nd, a: nd.reverse(a, axis=1), lambda t, a: a.flip(1),
         lambda np, a: a[:, ::-1].copy(), bound=True),
    Case("tile", matrices("a"), lambda nd, a: nd.tile(a, reps=(2, 2)), lambda t, a: a.tile(2, 2),
         lambda np, a: np.tile(a, (2, 2)), bound=True),
    Case("repeat", matrices("a"), lambda nd, a: nd.repeat(a, repeats=2, axis=1),
         lambda t, a: a.repeat_interleave(2, 1), lambda np, a: a.repeat(2, 1), bound=True),
    Case("Concat", matrices("a", "b"), lambda nd, a, b: nd.concat(a, b, dim=1),
         lambda t, a, b: t.cat([a, b], 1), lambda np, a, b: np.concatenate([a, b], 1), bound=True),
    Case("stack", matrices("a", "b"), lambda nd, a, b: nd.stack(a, b, axis=1),
         lambda t, a, b: t.stack([a, b], 1), lambda np, a, b: np.stack([a, b], 1), bound=True),
    Case("SliceChannel", matrices("a"), lambda nd, a: nd.split(a, num_outputs=4, axis=1)[0],
         lambda t, a: [p.contiguous() for p in a.chunk(4, 1)][0],
         lambda np, a: [p.copy() for p in np.split(a, 4, 1)][0], bound=True, traffic=(1, 1)),
    Case("slice", matrices("a"), lambda nd, a: nd.slice(a, begin=(0, 8), end=(None, None)),
         lambda t, a: a[:, 8:].contiguous(), lambda np, a: a[:, 8:].copy(), bound=True),
    Case("slice_axis", matrices("a"), lambda nd, a: nd.slice_axis(a, axis=1, begin=8, end=None),
         lambda t, a: a[:, 8:].contiguous(), lambda np, a: a[:, 8:].copy(), bound=True),
    Case("slice", matrices("a"), lambda nd, a: nd.slice(a, begin=(0, 8), end=(None, None)),
         lambda t, a: a[:, 8:].contiguous(), wrt=("a",)),
    Case("broadcast_to", lambda rng, size: {"a": uniform(rng, 1, MATRICES[size][1])},
         lambda nd, a: nd.broadcast_to(a, shape=(64, a.shape[1])),
         lambda t, a: a.expand(64, -1).contiguous(),
         lambda np, a: np.broadcast_to(a, (64, a.shape[1])).copy()),
    Case("diag", lambda rng, size: {"a": uniform(rng, SQUARES[size])},
         lambda nd, a: nd.diag(a), lambda t, a: t.diag(a), lambda np, a: np.diag(a)),
]  # fmt: skip

INDEXED = [
    Case("take", matrices("a", i=_rows), lambda nd, a, i: nd.take(a, i),
         lambda t, a, i: a.index_select(0, i.long()), lambda np, a, i: a.take(i.astype(int), 0)),
    Case("take", matrices("a", i=_rows), lambda nd, a, i: nd.take(a, i),
         lambda t, a, i: a.index_select(0, i.long()), wrt=("a",)),
    Case("Embedding", matrices("a", i=_rows),
         lambda nd, a, i: nd.Embedding(i, a, a.shape[0], a.shape[1]),
         lambda t, a, i: t.nn.functional.embedding(i.long(), a)),
    Case("pick", matrices("a", i=_labels), lambda nd, a, i: nd.pick(a, i, axis=1),
         lambda t, a, i: a.gather(1, i.long()[:, None])[:, 0],
         lambda np, a, i: a[np.arange(len(a)), i.astype(int)]),
    Case("batch_take", matrices("a", i=lambda rng, r, c: rng.randint(0, c, r).astype(np.int32)),
         lambda nd, a, i: nd.batch_take(a, i),
         lambda t, a, i: a.gather(1, i.long()[:, None])[:, 0]),
    Case("one_hot", lambda rng, size: {"i": _labels(rng, *MATRICES[size])},
         lambda nd, i: nd.one_hot(i, 1024),
         lambda t, i: t.nn.functional.one_hot(i.long(), 1024).float()),
    Case("gather_nd", matrices("a", i=lambda rng, r, c: rng.randint(0, 32, (2, r)) * 1.0),
         lambda nd, a, i: nd.gather_nd(a, i), lambda t, a, i: a[i[0].long(), i[1].long()],
         lambda np, a, i: a[i[0].astype(int), i[1].astype(int)]),
    Case("sort", matrices("a"), lambda nd, a: nd.sort(a, axis=1), lambda t, a: a.sort(1)[0],
         lambda np, a: np.sort(a, 1)),
    Case("argsort", matrices("a"), lambda nd, a: nd.argsort(a, axis=1),
         lambda t, a: a.argsort(1).float(), lambda np, a: np.argsort(a, 1)),
    Case("topk", matrices("a"), lambda nd, a: nd.topk(a, k=5, axis=1, ret_typ="value"),
         lambda t, a: a.topk(5, 1)[0]),
]  # fmt: skip

PRODUCTS = [
    Case("dot", _squares("a", "b"), lambda nd, a, b: nd.dot(a, b), lambda t, a, b: a @ b,
         lambda np, a, b: a @ b),
    Case("dot", _squares("a", "b"), lambda nd, a, b: nd.dot(a, b, transpose_b=True),
         lambda t, a, b: a @ b.t(), lambda np, a, b: a @ b.T, form="transposed"),
    Case("batch_dot", _batches, lambda nd, a, b: nd.batch_dot(a, b), lambda t, a, b: a @ b,
         lambda np, a, b: a @ b),
    Case("_linalg_gemm2", _batches, lambda nd, a, b: nd.linalg.gemm2(a, b), lambda t, a, b: a @ b,
         lambda np, a, b: a @ b),
    Case("FullyConnected", _squares("a", "w"),
         lambda nd, a, w: nd.FullyConnected(a, w, num_hidden=w.shape[0], no_bias=True),
         lambda t, a, w: t.nn.functional.linear(a, w), lambda np, a, w: a @ w.T),
    Case("FullyConnected", _squares("a", "w"),
         lambda nd, a, w: nd.FullyConnected(a, w, num_hidden=w.shape[0], no_bias=True),
         lambda t, a, w: t.nn.functional.linear(a, w), wrt=("a", "w")),
]  # fmt: skip

RANDOM = [
    Case("_random_uniform", vectors("a"), lambda nd, a: nd.random.uniform(shape=a.shape),
         lambda t, a: t.rand(a.shape), equal=False),
    Case("_random_normal", vectors("a"), lambda nd, a: nd.random.normal(shape=a.shape),
         lambda t, a: t.randn(a.shape), equal=False),
    Case("_arange", lambda rng, size: {"a": uniform(rng, LENGTHS[size])},
         lambda nd, a: nd.arange(a.shape[0]), lambda t, a: t.arange(float(a.shape[0]))),
    Case("_zeros", vectors("a"), lambda nd, a: nd.zeros(a.shape), lambda t, a: t.zeros(a.shape)),
    Case("_full", vectors("a"), lambda nd, a: nd.full(a.shape, 2.5),
         lambda t, a: t.full(a.shape, 2.5)),
]  # fmt: skip
CASES = [*REDUCTIONS, *NORMALISED, *SHAPES, *INDEXED, *PRODUCTS, *RANDOM]
