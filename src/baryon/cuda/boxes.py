"""Launches on boxes: overlap, suppression, matching, and offsets from anchors."""

from __future__ import annotations

from math import prod
from typing import Any

import numpy as np

from ..ops.boxes import centers, corners
from ..ops.numeric import widen
from .launch import blocks, dense, kernel_of, launch, output
from .registry import kernel
from .rows import floating, wide

_INDEX = np.dtype(np.int64)


def real(xp: Any, array: Any, dtype: Any) -> Any:
    """An array in C order in the type that kernels on `dtype` compute in; None stays None."""
    return None if array is None else dense(xp, array.astype(wide(dtype), copy=False))


def run(xp: Any, name: str, dtype: Any, grid: int, *args: Any, block: int = 256) -> None:
    """Launch a kernel of ``boxes.cu``; Python's ints are 64-bit, bools int, floats computed."""
    kinds = {int: np.int64, bool: np.int32, float: wide(dtype)}
    args = tuple(kinds[type(a)](a) if type(a) in kinds else a for a in args)
    launch(kernel_of(xp, "boxes", name, T=np.dtype(dtype)), grid, block, *args)


def surviving(
    xp: Any, used: Any, boxes: Any, ids: Any, threshold: float, dtype: Any, **more: Any
) -> Any:
    """Which of boxes (batch, box, 4), best first, remain: `ops.boxes.survivors` of each batch.

    used : how many of each batch count. more : `most`, `extra` and `reached`.
    """
    batch, n = boxes.shape[:2]
    alive = xp.empty((batch, n), np.uint8)
    arrays = dense(xp, used.astype(_INDEX)), real(xp, boxes, dtype), real(xp, ids, dtype)
    reached, most = bool(more.get("reached", False)), int(more.get("most", -1))
    numbers = n, float(threshold), reached, float(more.get("extra", 0)), most
    run(xp, "suppress", dtype, batch, *arrays, alive, *numbers, block=512)
    return alive


def compacted(xp: Any, order: Any, alive: Any, dtype: Any, count: bool = False) -> tuple[Any, Any]:
    """Rows that are alive, in `order` or their own, then -1; and how many, where asked."""
    batch, n = alive.shape
    kept = xp.empty((batch, n), _INDEX)
    found = xp.empty((batch,), _INDEX) if count else None
    run(xp, "compact", dtype, batch, order, alive, kept, found, n, block=512)
    return kept, found


@kernel("_contrib_box_iou")
def box_iou(xp, lhs, rhs, *, format):  # noqa: A002
    """See the operator."""
    if not floating(lhs, rhs) or lhs.dtype != rhs.dtype:
        return NotImplemented
    out = output(xp, (*lhs.shape[:-1], *rhs.shape[:-1]), lhs.dtype)
    if out.size:
        arrays = real(xp, lhs, lhs.dtype), real(xp, rhs, lhs.dtype), out
        sizes = lhs.size // 4, rhs.size // 4, format == "center"
        run(xp, "overlaps", lhs.dtype, blocks(out.size), *arrays, *sizes)
    return out


def _remaining(xp: Any, rows: Any, boxes: Any, attrs: dict) -> Any:
    """Numbers of the rows (batch, row) that remain, best first, then -1."""
    scores = rows[..., attrs["score_index"]]
    valid = scores > attrs["valid_thresh"]
    ids = rows[..., attrs["id_index"]] if attrs["id_index"] >= 0 else None
    if ids is not None:
        valid &= ids != attrs["background_id"]
    order = xp.argsort(xp.where(valid, -scores, np.inf), axis=1, kind="stable").astype(_INDEX)
    used = valid.sum(axis=1)
    if attrs["topk"] > 0:
        used = xp.minimum(used, attrs["topk"])
    boxes = xp.take_along_axis(boxes, order[..., None], 1)
    ids = None if ids is None or attrs["force_suppress"] else xp.take_along_axis(ids, order, 1)
    alive = surviving(xp, used, boxes, ids, attrs["overlap_thresh"], rows.dtype)
    return compacted(xp, order, alive, rows.dtype)[0]


@kernel("_contrib_box_nms")
def box_nms(xp, data, *, coord_start, in_format, out_format, **attrs):
    """See the operator."""
    if attrs["topk"] == 0 or not floating(data) or not data.size:
        return NotImplemented
    given = data.reshape(-1, *data.shape[-2:])
    rows, at = widen(xp, given), slice(coord_start, coord_start + 4)
    boxes = corners(xp, rows[..., at]) if in_format == "center" else rows[..., at]
    kept = _remaining(xp, rows, boxes, attrs)
    found = xp.take_along_axis(given, xp.maximum(kept, 0)[..., None], 1)
    if in_format != out_format:
        turned = corners if out_format == "corner" else centers
        found[..., at] = turned(xp, widen(xp, found[..., at]))
    out = xp.where(kept[..., None] >= 0, found, found.dtype.type(-1))
    return out.reshape(data.shape), kept.reshape(*data.shape[:-1], 1)


@kernel("_backward_box_nms")
def backward_nms(xp, dy, origin):
    """See the operator."""
    if not floating(dy):
        return NotImplemented
    dx = output(xp, dy.shape, dy.dtype)
    dx.fill(0)
    if dy.size:
        arrays = dense(xp, dy), dense(xp, origin.astype(_INDEX)), dx
        run(xp, "put_back", dy.dtype, blocks(dy.size), *arrays, dy.size, *dy.shape[-2:])
    return dx


@kernel("_contrib_bipartite_matching")
def bipartite_matching(xp, data, *, is_ascend, threshold, topk):
    """See the operator."""
    if not floating(data) or not data.size:
        return NotImplemented
    batch, (height, width) = prod(data.shape[:-2]), data.shape[-2:]
    results = [
        output(xp, shape, data.dtype) for shape in (data.shape[:-1], (*data.shape[:-2], width))
    ]
    for matched in results:
        matched.fill(-1)
    pairs = min(height, width) if topk <= 0 else min(height, width, topk + 1)
    limit = float(-threshold if is_ascend else threshold)
    numbers = height, width, bool(is_ascend), limit, pairs
    run(xp, "match", data.dtype, batch, real(xp, data, data.dtype), *results, *numbers, block=512)
    return tuple(results)


@kernel("_contrib_box_encode")
def box_encode(xp, samples, matches, anchors, refs, means, stds):
    """See the operator."""
    arrays, dtype = (samples, matches, anchors, refs, means, stds), anchors.dtype
    if not floating(*arrays) or not anchors.size:
        return NotImplemented
    out, mask = (output(xp, anchors.shape, dtype) for _ in range(2))
    count, n, m = samples.size, samples.shape[1], refs.shape[1]
    given = (real(xp, a, dtype) for a in arrays)
    run(xp, "box_encode", dtype, blocks(count), *given, out, mask, count, n, m)
    return out, mask


@kernel("_contrib_box_decode")
def box_decode(xp, data, anchors, *, std0, std1, std2, std3, clip, format):  # noqa: A002
    """See the operator."""
    if not floating(data, anchors) or not data.size:
        return NotImplemented
    dtype, out = data.dtype, output(xp, data.shape, data.dtype)
    stds = np.array([std0, std1, std2, std3], wide(dtype))
    numbers = data.size // 4, data.shape[1], stds, float(clip), format == "center"
    given = real(xp, data, dtype), real(xp, anchors, dtype), out
    run(xp, "box_decode", dtype, blocks(data.size // 4), *given, *numbers)
    return out
