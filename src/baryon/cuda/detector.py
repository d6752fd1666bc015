"""Launches of detectors: anchors, their targets, detections, and region proposals."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..ops.device import fixed
from ..ops.multibox import apart, halves
from ..ops.proposal import _anchors
from .boxes import compacted, real, surviving
from .launch import blocks, dense, kernel_of, launch, output
from .registry import kernel
from .rows import floating, wide

_INDEX = np.dtype(np.int64)


def _run(xp: Any, name: str, dtype: Any, grid: int, *args: Any, block: int = 256) -> None:
    """Launch a kernel of ``detector.cu``; Python's ints are 64-bit, bools int, floats computed."""
    kinds = {int: np.int64, bool: np.int32, float: wide(dtype)}
    args = tuple(kinds[type(a)](a) if type(a) in kinds else a for a in args)
    launch(kernel_of(xp, "detector", name, T=np.dtype(dtype)), grid, block, *args)


@kernel("_contrib_MultiBoxPrior")
def multibox_prior(xp, data, *, sizes, ratios, clip, steps, offsets):
    """See the operator."""
    size = data.shape[2:4]
    if not floating(data) or not size[0] * size[1]:
        return NotImplemented
    shapes = fixed(xp, halves(sizes, ratios, size))
    out = output(xp, (1, size[0] * size[1] * len(shapes), 4), data.dtype)
    numbers = map(np.float64, (*offsets, *apart(steps, size)))
    sizes = out.size // 4, len(shapes), size[1]
    _run(xp, "priors", data.dtype, blocks(out.size // 4), out, shapes, *sizes, *numbers, bool(clip))
    return out


# ---- targets -------------------------------------------------------------------------------------


def _labels(label: Any) -> np.ndarray:
    """``Labels`` of ``detector.cu``, by value."""
    return np.array([label.data.ptr, *label.shape[1:]], np.int64)


@kernel("_contrib_MultiBoxTarget")
def multibox_target(
    xp, anchor, label, cls_pred, *, overlap_threshold, ignore_label, negative_mining_ratio,
    negative_mining_thresh, minimum_negative_samples, variances,
):  # fmt: skip
    """See the operator."""
    if not floating(anchor, label, cls_pred) or not label.size or not anchor.size:
        return NotImplemented
    dtype, batch, n = anchor.dtype, len(label), anchor.shape[1]
    number, count = wide(dtype), batch * n
    anchors, label = real(xp, anchor, dtype), real(xp, label, dtype)
    best, match = xp.empty((batch, n), number), xp.empty((batch, n), _INDEX)
    states, positives = xp.empty((batch, n), np.uint8), xp.empty((batch,), _INDEX)
    pairs = batch * label.shape[1]
    value, at = xp.empty((pairs,), number), xp.empty((pairs,), _INDEX)
    rows = _labels(label)
    _run(xp, "best_boxes", dtype, blocks(count), anchors, rows, best, match, count, n)
    _run(xp, "best_anchors", dtype, pairs, anchors, rows, value, at, n)
    found = value, at, best, match, states, positives, n, float(overlap_threshold)
    _run(xp, "assign", dtype, batch, anchors, rows, *found, block=512)
    if negative_mining_ratio > 0:
        limit, scores = float(negative_mining_thresh), real(xp, cls_pred, dtype)
        keys, sizes = xp.empty((batch, n), number), (count, n)
        given = scores, best, states, keys, *sizes, scores.shape[1], limit
        _run(xp, "backgrounds", dtype, blocks(count), *given)
        order = xp.argsort(keys, axis=1, kind="stable").astype(_INDEX, copy=False)
        numbers = *sizes, float(negative_mining_ratio), limit
        _run(xp, "mine", dtype, blocks(count), order, best, positives, states, *numbers)
    offsets, mask = (output(xp, (batch, n * 4), dtype) for _ in range(2))
    classes, scale = output(xp, (batch, n), dtype), np.array(variances, number)
    given = anchors, rows, match, states, offsets, mask, classes, count, n, scale
    _run(xp, "targets", dtype, blocks(count), *given, float(ignore_label))
    return offsets, mask, classes


# ---- detections ----------------------------------------------------------------------------------


@kernel("_contrib_MultiBoxDetection")
def multibox_detection(
    xp, cls_prob, loc_pred, anchor, *, clip, threshold, background_id, nms_threshold,
    force_suppress, variances, nms_topk,
):  # fmt: skip
    """See the operator."""
    if not floating(cls_prob, loc_pred, anchor) or not cls_prob.size:
        return NotImplemented
    dtype, (batch, classes, n) = cls_prob.dtype, cls_prob.shape
    number, count = wide(dtype), batch * n
    kinds, scores = (xp.empty((batch, n), number) for _ in range(2))
    boxes, scale = xp.empty((batch, n, 4), number), np.array(variances, number)
    given = (real(xp, a, dtype) for a in (cls_prob, loc_pred, anchor))
    found = kinds, scores, boxes, count, n, classes, scale, bool(clip)
    _run(xp, "judge", dtype, blocks(count), *given, *found)
    valid = scores >= number(threshold)
    used = tops = valid.sum(axis=1).astype(_INDEX, copy=False)
    order = alive = plain = None
    if 0 < nms_threshold <= 1:
        tops = xp.minimum(used, nms_topk) if nms_topk > 0 else used
        order = xp.argsort(xp.where(valid, -scores, np.inf), axis=1, kind="stable")
        order = dense(xp, order.astype(_INDEX, copy=False))
        ids = None if force_suppress else xp.take_along_axis(kinds, order, 1)
        best = xp.take_along_axis(boxes, order[..., None], 1)
        alive = surviving(xp, tops, best, ids, nms_threshold, dtype, reached=True)
    if order is None or nms_topk > 0:
        plain = compacted(xp, None, valid, dtype)[0]
    out = output(xp, (batch, n, 6), dtype)
    given = kinds, scores, boxes, order, alive, plain, tops, used, out, count, n
    _run(xp, "detections", dtype, blocks(count), *given)
    return out


# ---- proposals -----------------------------------------------------------------------------------


@kernel("_contrib_Proposal", "_contrib_MultiProposal")
def propose(
    xp, cls_prob, bbox_pred, im_info, *, rpn_pre_nms_top_n, rpn_post_nms_top_n, threshold,
    rpn_min_size, scales, ratios, feature_stride, output_score, iou_loss,
):  # fmt: skip
    """See the operator."""
    if not floating(cls_prob, bbox_pred, im_info) or not cls_prob.size:
        return NotImplemented
    dtype, (batch, _, *size) = cls_prob.dtype, cls_prob.shape
    anchors = fixed(xp, _anchors(feature_stride, scales, ratios), wide(dtype))
    each, total = len(anchors), len(anchors) * size[0] * size[1]
    boxes, scores = xp.empty((batch, total, 4), wide(dtype)), xp.empty((batch, total), wide(dtype))
    given = (real(xp, a, dtype) for a in (cls_prob, bbox_pred, im_info))
    numbers = batch * total, each, *size, feature_stride, rpn_min_size, bool(iou_loss)
    _run(xp, "propose", dtype, blocks(batch * total), *given, anchors, boxes, scores, *numbers)
    order = xp.argsort(-scores, axis=1, kind="stable").astype(_INDEX, copy=False)
    order = dense(xp, order[:, :rpn_pre_nms_top_n] if rpn_pre_nms_top_n > 0 else order)
    n, wanted = order.shape[1], rpn_post_nms_top_n
    best, all_of = xp.take_along_axis(boxes, order[..., None], 1), xp.full((batch,), n, _INDEX)
    alive = surviving(xp, all_of, best, None, threshold, dtype, most=wanted, extra=1)
    kept, found = compacted(xp, order, alive, dtype, count=True)
    out = output(xp, (batch * wanted, 5), dtype)
    marks = output(xp, (batch * wanted, 1), dtype)
    given = boxes, scores, kept, found, out, marks, batch * wanted, wanted, n, total
    _run(xp, "rois", dtype, blocks(batch * wanted), *given)
    return out, marks
