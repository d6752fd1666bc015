"""What a single-shot detector learns at every anchor, and the boxes that it finds there.

Source: Liu et al., "SSD: single shot multibox detector", ECCV 2016.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ..base import MXNetError
from .attrs import Attrs, Floats
from .boxes import centers, overlaps, survivors
from .device import fixed
from .multibox import VARIANCES, decoded, encoded, expect_shape
from .numeric import widen
from .op import op
from .rules import forward
from .samples import constant, normal, uniform


def _four(variances: Sequence[float]) -> None:
    if len(variances) != 4:
        raise MXNetError(f"variances has {len(variances)} entries, expected 4")


# ---- MultiBoxTarget ----------------------------------------------------------------------------


def _target_shape(attrs: Attrs, anchor: Sequence[int], label: Sequence[int], cls_pred) -> list:
    expect_shape("anchor", anchor, (1, None, 4))
    expect_shape("cls_pred", cls_pred, (None, None, anchor[1]))
    expect_shape("label", label, (cls_pred[0], None, None))
    if label[2] < 5:
        raise MXNetError(f"label has rows of {label[2]}, expected at least 5: class and corners")
    _four(attrs.variances)
    flat = (label[0], anchor[1] * 4)
    return [flat, flat, (label[0], anchor[1])]


def _matched(xp: Any, iou: Any, threshold: float) -> tuple[Any, Any, Any]:
    """The box of each anchor, whether it is meant to find it, and how much they overlap.

    First every box takes the anchor that overlaps it most, best pair first; then anchors that are
    left take their best box, if they overlap it by more than `threshold`.
    """
    best, match = iou.max(1), iou.argmax(1)
    taken, free = xp.zeros(len(iou), bool), iou.copy()
    for _ in range(min(iou.shape)):
        anchor, box = divmod(int(free.argmax()), iou.shape[1])
        if not free[anchor, box] > 1e-6:
            break
        taken[anchor], match[anchor], best[anchor] = True, box, free[anchor, box]
        free[anchor], free[:, box] = -1, -1
    positive = taken | (best > threshold) if threshold > 0 else taken
    return match, positive, best


def _hard_negatives(xp: Any, scores: Any, candidate: Any, count: int) -> Any:
    """The `count` candidates whose predicted background, of scores (class, anchor), is weakest."""
    shifted = xp.exp(scores - scores.max(0))
    background = shifted[0] / shifted.sum(0)
    order = xp.flatnonzero(candidate)
    chosen = xp.zeros_like(candidate)
    chosen[order[xp.argsort(background[order], kind="stable")][: max(count, 0)]] = True
    return chosen


@op(
    "_contrib_MultiBoxTarget",
    aliases=("_npx_multibox_target",),
    shape=forward(_target_shape),
    outputs=("loc_target", "loc_mask", "cls_target"),
)
def multibox_target(
    xp,
    anchor,
    label,
    cls_pred,
    *,
    overlap_threshold: float = 0.5,
    ignore_label: float = -1.0,
    negative_mining_ratio: float = -1.0,
    negative_mining_thresh: float = 0.5,
    minimum_negative_samples: int = 0,
    variances: Floats = VARIANCES,
):
    """Training targets of anchors: offsets and their mask (batch, 4 * anchors), classes.

    anchor : (1, anchors, 4), corners. label : (batch, boxes, 5 or more), rows of class, corners; a
    class of -1 ends them. cls_pred : (batch, classes, anchors), read for hard negatives. An
    anchor's class (batch, anchors) is 1 more than its box's, 0 for background and `ignore_label`
    where neither counts. With `negative_mining_ratio` positive, only so many negatives as positives
    times the ratio count: those of overlap below `negative_mining_thresh` whose predicted
    background is weakest. `minimum_negative_samples` changes nothing, as in MXNet. An anchor takes
    its best box if they overlap by more than `overlap_threshold`, after every box took its best
    anchor. Offsets are divided by `variances`. Source: MXNet operator MultiBoxTarget.

    >>> anchor = mx.nd.array([[[0, 0, 0.5, 0.5], [0.5, 0.5, 1, 1]]])
    >>> label = mx.nd.array([[[2, 0, 0, 0.5, 0.5]]])
    >>> offsets, mask, classes = mx.nd.contrib.MultiBoxTarget(anchor, label, mx.nd.ones((1, 4, 2)))
    >>> print(mask.asnumpy(), classes.asnumpy())
    [[1. 1. 1. 1. 0. 0. 0. 0.]] [[3. 0.]]
    """
    anchors, labels, scores = widen(xp, anchor)[0], widen(xp, label), widen(xp, cls_pred)
    batch, count = len(labels), len(anchors)
    scale = fixed(xp, variances, anchors.dtype)
    offsets, mask = xp.zeros((2, batch, count, 4), anchors.dtype)
    classes = xp.full((batch, count), ignore_label, anchors.dtype)
    for i, rows in enumerate(labels):
        ends = xp.flatnonzero(rows[:, 0] == -1)
        rows = rows[: int(ends[0])] if ends.size else rows
        if not len(rows) or not count:
            continue
        iou = overlaps(xp, anchors[:, None], rows[None, :, 1:5])
        match, positive, best = _matched(xp, iou, overlap_threshold)
        negative = ~positive
        if negative_mining_ratio > 0:
            wanted = int(positive.sum() * anchors.dtype.type(negative_mining_ratio))
            negative &= best < negative_mining_thresh
            negative = _hard_negatives(xp, scores[i], negative, wanted)
        classes[i, negative] = 0
        classes[i, positive] = rows[match[positive], 0] + 1
        mask[i, positive] = 1
        boxes = rows[match[positive], 1:5]
        offsets[i, positive] = encoded(xp, boxes, anchors[positive], scale)
    return offsets.reshape(batch, -1), mask.reshape(batch, -1), classes


_ANCHORS = constant([[[0, 0, 0.5, 0.5], [0.1, 0.1, 0.6, 0.7], [0.5, 0.5, 1, 1], [0, 0, 1, 0.9]]])
_LABELS = constant(
    [[[1, 0, 0, 0.5, 0.6], [0, 0.1, 0.2, 0.9, 0.9]], [[2, 0.4, 0.5, 1, 1], [-1, 0, 0, 0, 0]]]
)
multibox_target.sample(anchor=_ANCHORS, label=_LABELS, cls_pred=normal(2, 3, 4))
multibox_target.sample(
    anchor=_ANCHORS,
    label=_LABELS,
    cls_pred=normal(2, 3, 4),
    overlap_threshold=0.8,
    negative_mining_ratio=1.0,
)


# ---- MultiBoxDetection -------------------------------------------------------------------------


def _detection_shape(attrs: Attrs, cls_prob: Sequence[int], loc_pred, anchor) -> tuple[int, ...]:
    expect_shape("cls_prob", cls_prob, (None, None, None))
    expect_shape("anchor", anchor, (1, cls_prob[2], 4))
    expect_shape("loc_pred", loc_pred, (cls_prob[0], cls_prob[2] * 4))
    if cls_prob[1] < 2:
        raise MXNetError(f"cls_prob has {cls_prob[1]} classes, expected background and others")
    _four(attrs.variances)
    return cls_prob[0], cls_prob[2], 6


def _detection_params(attrs: Attrs, ins: Sequence[Any], outs: Sequence[Any]) -> tuple:
    head = (attrs.clip, attrs.threshold, attrs.nms_threshold, attrs.force_suppress, attrs.nms_topk)
    return (*head, *attrs.variances)


@op(
    "_contrib_MultiBoxDetection",
    aliases=("_npx_multibox_detection",),
    shape=forward(_detection_shape),
    kernel=True,
    params=_detection_params,
)
def multibox_detection(
    xp,
    cls_prob,
    loc_pred,
    anchor,
    *,
    clip: bool = True,
    threshold: float = 0.01,
    background_id: int = 0,
    nms_threshold: float = 0.5,
    force_suppress: bool = False,
    variances: Floats = VARIANCES,
    nms_topk: int = -1,
):
    """Detections (batch, anchors, 6), best first: class, score, corners; class -1: none.

    cls_prob : (batch, classes, anchors), class 0 the background. loc_pred : (batch, 4 * anchors),
    offsets from anchor (1, anchors, 4), corners. An anchor's best class counts if its score is at
    least `threshold`. Of the `nms_topk` best, one is dropped (class -1) if it overlaps a better one
    of its class, with `force_suppress` of any, by at least `nms_threshold`; without a threshold in
    (0, 1], detections stay in the order of anchors. Classes are numbered without the background,
    which is class 0 whatever `background_id` says, as in MXNet. Offsets are multiplied by
    `variances`; `clip` cuts boxes to the image. Source: MXNet operator MultiBoxDetection.

    >>> scores, anchor = mx.nd.array([[[0.1], [0.9]]]), mx.nd.array([[[0, 0, 0.5, 0.5]]])
    >>> mx.nd.contrib.MultiBoxDetection(scores, mx.nd.zeros((1, 4)), anchor).asnumpy()
    array([[[0. , 0.9, 0. , 0. , 0.5, 0.5]]], dtype=float32)
    """
    probs, offsets, anchors = (widen(xp, x) for x in (cls_prob, loc_pred, anchor))
    batch, count = probs.shape[0], probs.shape[2]
    out = xp.full((batch, count, 6), -1, probs.dtype)
    scale = fixed(xp, variances, offsets.dtype)
    boxes = decoded(xp, offsets.reshape(batch, count, 4), centers(xp, anchors), scale)
    boxes = xp.clip(boxes, 0, 1) if clip else boxes
    kinds, scores = probs[:, 1:].argmax(1), probs[:, 1:].max(1)
    for i in range(batch):
        order = xp.flatnonzero(scores[i] >= threshold)
        if not order.size:
            continue
        rows = xp.concatenate([kinds[i, order, None], scores[i, order, None], boxes[i, order]], -1)
        if 0 < nms_threshold <= 1:
            best = rows[xp.argsort(-rows[:, 1], kind="stable")]
            best = best[:nms_topk] if nms_topk > 0 else best
            rows[: len(best)] = best  # rows beyond the best stay where they were, as in MXNet
            ids = None if force_suppress else best[:, 0]
            dropped = xp.ones(len(rows), bool)
            dropped[survivors(xp, best[:, 2:], nms_threshold, ids, reached=True)] = False
            rows[dropped, 0] = -1
        out[i, : len(rows)] = rows
    return out


for _attrs in ({}, {"nms_threshold": 0.2, "force_suppress": True, "nms_topk": 3, "clip": False}):
    multibox_detection.sample(
        cls_prob=uniform(2, 3, 4, low=0), loc_pred=normal(2, 16), anchor=_ANCHORS, **_attrs
    )
