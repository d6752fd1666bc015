"""Region proposals: the boxes of anchors that a network scores best, without near repetitions.

Source: Ren et al., "Faster R-CNN: towards real-time object detection with region proposal
networks", NeurIPS 2015. Corners are pixels and belong to the box: it is ``x2 - x1 + 1`` wide.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ..base import MXNetError
from .attrs import Attrs, Floats
from .boxes import survivors
from .device import fixed
from .multibox import expect_shape
from .numeric import widen
from .op import op
from .rules import forward
from .samples import constant, normal, uniform


def _shape(attrs: Attrs, cls_prob: Sequence[int], bbox_pred, im_info) -> list:
    anchors = len(attrs.scales) * len(attrs.ratios)
    expect_shape("cls_prob", cls_prob, (None, 2 * anchors, None, None))
    expect_shape("bbox_pred", bbox_pred, (cls_prob[0], 4 * anchors, *cls_prob[2:]))
    expect_shape("im_info", im_info, (cls_prob[0], 3))
    if attrs.rpn_post_nms_top_n < 1 or attrs.feature_stride < 1:
        raise MXNetError("rpn_post_nms_top_n and feature_stride must be positive")
    if not anchors or min(attrs.ratios) <= 0:
        raise MXNetError("scales and ratios must be given, and ratios positive")
    if not cls_prob[2] * cls_prob[3]:
        raise MXNetError("cls_prob has no pixels")
    rows = cls_prob[0] * attrs.rpn_post_nms_top_n
    return [(rows, 5), (rows, 1)]


def _one_shape(attrs: Attrs, cls_prob: Sequence[int], bbox_pred, im_info) -> list:
    if cls_prob[:1] != (1,):
        raise MXNetError(f"serves one image, got {cls_prob[0]}; MultiProposal serves several")
    return _shape(attrs, cls_prob, bbox_pred, im_info)


def _anchors(stride: int, scales: Sequence[float], ratios: Sequence[float]) -> np.ndarray:
    """Corners (ratio and scale, 4) around the pixel at the origin."""
    found = []
    for ratio in ratios:
        width = np.floor(np.sqrt(np.floor(stride * stride / ratio)) + 0.5)
        height = np.floor(width * ratio + 0.5)
        for scale in scales:
            half = np.array([width * scale - 1, height * scale - 1]) / 2
            middle = (stride - 1) / 2
            found.append([*(middle - half), *(middle + half)])
    return np.array(found)


def _moved(xp: Any, anchors: Any, deltas: Any, by_corner: bool) -> Any:
    """Anchors (..., 4) after the predicted change of centre and size, or of each corner."""
    if by_corner:
        return anchors + deltas
    size = anchors[..., 2:] - anchors[..., :2] + 1
    middle = anchors[..., :2] + (size - 1) / 2 + deltas[..., :2] * size
    half = (xp.exp(deltas[..., 2:]) * size - 1) / 2
    return xp.concatenate([middle - half, middle + half], -1)


def _boxes(xp: Any, anchors: Any, deltas: Any, stride: int, by_corner: bool) -> Any:
    """Boxes (rows, columns, anchors, 4) of an image with deltas (4 * anchors, rows, columns)."""
    rows, columns = deltas.shape[1:]
    x, y = xp.meshgrid(xp.arange(columns) * stride, xp.arange(rows) * stride)
    shift = xp.stack([x, y, x, y], -1)[:, :, None].astype(deltas.dtype)
    moves = deltas.reshape(len(anchors), 4, rows, columns).transpose(2, 3, 0, 1)
    return _moved(xp, anchors + shift, moves, by_corner)


def _judged(xp: Any, boxes: Any, scores: Any, info: Any, stride: int, least: int) -> tuple:
    """Boxes (n, 4) cut to the image, and their scores: -1 for those outside it or too small.

    scores : (anchors, rows, columns). info : height, width and scale of the image.
    """
    rows, columns = (xp.arange(n) for n in boxes.shape[:2])
    outside = (rows >= xp.floor(info[0] / stride))[:, None] | (
        columns >= xp.floor(info[1] / stride)
    )
    scores = xp.where(outside[..., None], -1, scores.transpose(1, 2, 0)).reshape(-1)
    limit = xp.stack([info[1], info[0], info[1], info[0]]) - 1
    boxes = xp.maximum(xp.minimum(boxes.reshape(-1, 4), limit), 0)
    least = info[2] * least
    small = (boxes[:, 2:] - boxes[:, :2] + 1 < least).any(-1)
    grown = xp.concatenate([boxes[:, :2] - least / 2, boxes[:, 2:] + least / 2], -1)
    return xp.where(small[:, None], grown, boxes), xp.where(small, -1, scores)


def propose(
    xp,
    cls_prob,
    bbox_pred,
    im_info,
    *,
    rpn_pre_nms_top_n: int = 6000,
    rpn_post_nms_top_n: int = 300,
    threshold: float = 0.7,
    rpn_min_size: int = 16,
    scales: Floats = (4.0, 8.0, 16.0, 32.0),
    ratios: Floats = (0.5, 1.0, 2.0),
    feature_stride: int = 16,
    output_score: bool = False,
    iou_loss: bool = False,
):
    """Regions (batch * rpn_post_nms_top_n, 5): image number, x1, y1, x2, y2 in pixels.

    cls_prob : (batch, 2 * anchors, rows, columns), the second half the probabilities of an object.
    bbox_pred : (batch, 4 * anchors, rows, columns), changes of centre and logarithm of size, with
    `iou_loss` of corners. im_info : (batch, 3), height, width and scale of each image. Anchors, of
    all `ratios` by all `scales`, stand `feature_stride` pixels apart. Boxes of less than
    `rpn_min_size` pixels times the scale come last. Of the best `rpn_pre_nms_top_n`, those that
    overlap a better one by more than `threshold` are dropped; too few are repeated in turn. With
    `output_score` there is a second output, (batch * rpn_post_nms_top_n, 1). Proposal serves a
    batch of one image, MultiProposal any. Source: MXNet operators Proposal and MultiProposal.

    >>> scores, moves = mx.nd.ones((2, 2, 1, 1)), mx.nd.zeros((2, 4, 1, 1))
    >>> image = mx.nd.array([[32, 32, 1], [8, 8, 1]])
    >>> mx.nd.contrib.MultiProposal(scores, moves, image, scales=(1,), ratios=(1,),
    ...                             rpn_post_nms_top_n=1, rpn_min_size=1).asnumpy()
    array([[ 0.,  0.,  0., 15., 15.],
           [ 1.,  0.,  0.,  7.,  7.]], dtype=float32)
    """
    probs, deltas, infos = (widen(xp, x) for x in (cls_prob, bbox_pred, im_info))
    anchors = fixed(xp, _anchors(feature_stride, scales, ratios), deltas.dtype)
    rois, found = [], []
    for i, (scores, moves, info) in enumerate(zip(probs, deltas, infos, strict=True)):
        boxes = _boxes(xp, anchors, moves, feature_stride, iou_loss)
        boxes, scores = _judged(
            xp, boxes, scores[len(anchors) :], info, feature_stride, rpn_min_size
        )
        order = xp.argsort(-scores, kind="stable")
        order = order[:rpn_pre_nms_top_n] if rpn_pre_nms_top_n > 0 else order
        best = survivors(xp, boxes[order], threshold, most=rpn_post_nms_top_n, extra=1)
        kept = order[best[xp.arange(rpn_post_nms_top_n) % len(best)]]
        number = xp.full((len(kept), 1), i, boxes.dtype)
        rois.append(xp.concatenate([number, boxes[kept]], -1))
        found.append(scores[kept, None])
    return xp.concatenate(rois), xp.concatenate(found)


def _params(attrs: Attrs, ins: Sequence[Any], outs: Sequence[Any]) -> tuple:
    """Parameters of the kernel: attributes as numbers, then the anchors at the origin."""
    head = (
        attrs.rpn_pre_nms_top_n, attrs.rpn_post_nms_top_n, attrs.threshold, attrs.rpn_min_size,
        attrs.feature_stride, attrs.iou_loss,
    )  # fmt: skip
    return (*head, *_anchors(attrs.feature_stride, attrs.scales, attrs.ratios).ravel())


_OUTPUTS = {
    "outputs": ("output", "score"),
    "visible": lambda attrs: 2 if attrs.output_score else 1,
    "kernel": "_contrib_MultiProposal",
    "params": _params,
}
proposal = op("_contrib_Proposal", shape=forward(_one_shape), **_OUTPUTS)(propose)
multi_proposal = op("_contrib_MultiProposal", shape=forward(_shape), **_OUTPUTS)(propose)

for _op, _images in ((proposal, 1), (multi_proposal, 2)):
    _op.sample(
        cls_prob=uniform(_images, 4, 3, 2, low=0),
        bbox_pred=normal(_images, 8, 3, 2, scale=0.1),
        im_info=constant([[48, 40, 1]] * _images),
        scales=(1, 2),
        ratios=(1,),
        rpn_min_size=4,
        rpn_post_nms_top_n=5,
        output_score=True,
    )
