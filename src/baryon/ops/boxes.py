"""Boxes: overlap, suppression of all but the best, matching, and offsets from anchors.

A box is x1, y1, x2, y2 (``corner``) or centre x, y, width, height (``center``).
"""

from __future__ import annotations

from collections.abc import Sequence
from math import prod
from typing import Any, Literal

import numpy as np

from ..base import MXNetError
from .attrs import Attrs
from .indexing import whole
from .numeric import widen
from .op import op
from .rules import forward
from .samples import constant, normal, uniform

Format = Literal["center", "corner"]


# ---- arithmetic --------------------------------------------------------------------------------


def corners(xp: Any, boxes: Any) -> Any:
    """Boxes given by centre and size, by their corners."""
    half = boxes[..., 2:] / 2
    return xp.concatenate([boxes[..., :2] - half, boxes[..., :2] + half], -1)


def centers(xp: Any, boxes: Any) -> Any:
    """Boxes given by their corners, by centre and size."""
    low, high = boxes[..., :2], boxes[..., 2:]
    return xp.concatenate([(low + high) / 2, high - low], -1)


def overlaps(xp: Any, a: Any, b: Any, extra: int = 0) -> Any:
    """Intersection over union of corner boxes that broadcast; 0 where there is no area.

    extra : 1 where corners are pixels and so belong to the box.
    """
    sizes = xp.minimum(a[..., 2:], b[..., 2:]) - xp.maximum(a[..., :2], b[..., :2]) + extra
    common = xp.maximum(sizes, 0).prod(-1)
    areas = (xp.maximum(x[..., 2:] - x[..., :2] + extra, 0).prod(-1) for x in (a, b))
    union = sum(areas) - common
    return xp.where(union > 0, common / xp.where(union > 0, union, 1), 0).astype(a.dtype)


def survivors(
    xp: Any,
    boxes: Any,
    threshold: float,
    ids: Any = None,
    most: int = -1,
    extra: int = 0,
    reached: bool = False,
) -> Any:
    """Positions of the boxes, sorted best first, that no better one of their id overlaps more.

    most    : how many are wanted at most (-1: all).
    reached : whether an overlap of just the threshold is too much.
    """
    alive, kept = xp.ones(len(boxes), bool), []
    for i in range(len(boxes)):
        if len(kept) == most:
            break
        if not alive[i]:
            continue
        kept.append(i)
        shared = overlaps(xp, boxes[i], boxes[i + 1 :], extra)
        close = shared >= threshold if reached else shared > threshold
        alive[i + 1 :] &= ~(close if ids is None else close & (ids[i + 1 :] == ids[i]))
    return xp.asarray(kept, dtype=np.int64)


# ---- box_iou -----------------------------------------------------------------------------------


def _iou_shape(attrs: Attrs, lhs: Sequence[int], rhs: Sequence[int]) -> tuple[int, ...]:
    for name, shape in (("lhs", lhs), ("rhs", rhs)):
        if len(shape) < 2 or shape[-1] != 4:
            raise MXNetError(f"{name} has shape {tuple(shape)}, expected (..., 4)")
    return (*lhs[:-1], *rhs[:-1])


@op(
    "_contrib_box_iou",
    shape=forward(_iou_shape),
    kernel=True,
    params=lambda attrs, ins, outs: (attrs.format == "center",),
)
def box_iou(xp, lhs, rhs, *, format: Format = "corner"):
    """Intersection over union of every box of lhs (..., 4) with every one of rhs (..., 4).

    Boxes are corners x1, y1, x2, y2, or with `format` center x, y, width, height. Source: MXNet
    operator box_iou.

    >>> a, b = mx.nd.array([[0, 0, 2, 2]]), mx.nd.array([[0, 0, 2, 1], [2, 2, 3, 3]])
    >>> mx.nd.contrib.box_iou(a, b).asnumpy()
    array([[0.5, 0. ]], dtype=float32)
    """
    a, b = widen(xp, lhs).reshape(-1, 1, 4), widen(xp, rhs).reshape(1, -1, 4)
    if format == "center":
        a, b = corners(xp, a), corners(xp, b)
    return overlaps(xp, a, b).reshape(*lhs.shape[:-1], *rhs.shape[:-1])


_CORNERS = constant([[0.0, 0, 2, 2], [1, 1, 3, 4], [0.2, 0.1, 1.9, 2.2], [5, 5, 4, 4]])
box_iou.sample(lhs=_CORNERS, rhs=_CORNERS)
box_iou.sample(lhs=uniform(2, 3, 4, low=0.1), rhs=uniform(2, 4, low=0.1), format="center")


# ---- box_nms -----------------------------------------------------------------------------------


def _nms_shape(attrs: Attrs, ins: list, outs: list) -> tuple[list, list]:
    data = ins[0]
    if data is None or -1 in data:
        return ins, outs
    ends = (attrs.coord_start + 4, attrs.score_index + 1, attrs.id_index + 1)
    if len(data) < 2 or min(attrs.coord_start, attrs.score_index) < 0 or max(ends) > data[-1]:
        raise MXNetError(f"data of shape {data} has no such columns of boxes, scores or ids")
    return ins, [data, (*data[:-1], 1)]


def _nms_params(attrs: Attrs, ins: Sequence[Any], outs: Sequence[Any]) -> tuple | None:
    """Parameters of the kernel: attributes as numbers, then rows and columns; it keeps some."""
    if attrs.topk == 0:
        return None
    return (
        attrs.overlap_thresh, attrs.valid_thresh, attrs.topk, attrs.coord_start, attrs.score_index,
        attrs.id_index, attrs.background_id, attrs.force_suppress, attrs.in_format == "center",
        attrs.out_format == "center", *ins[0].shape[-2:],
    )  # fmt: skip


def _suppressed(xp: Any, rows: Any, attrs: dict) -> Any:
    """Positions of the boxes of one batch entry that remain, best first."""
    scores = rows[:, attrs["score_index"]]
    valid = scores > attrs["valid_thresh"]
    ids = rows[:, attrs["id_index"]] if attrs["id_index"] >= 0 else None
    if ids is not None:
        valid &= ids != attrs["background_id"]
    order = xp.flatnonzero(valid)
    order = order[xp.argsort(-scores[order], kind="stable")]
    order = order[: attrs["topk"]] if attrs["topk"] > 0 else order
    boxes = rows[order][:, attrs["coord_start"] : attrs["coord_start"] + 4]
    boxes = corners(xp, boxes) if attrs["in_format"] == "center" else boxes
    ids = None if ids is None or attrs["force_suppress"] else ids[order]
    return order[survivors(xp, boxes, attrs["overlap_thresh"], ids)]


@op(
    "_contrib_box_nms",
    aliases=("_contrib_box_non_maximum_suppression",),
    shape=_nms_shape,
    outputs=("output0", "output1"),
    visible=1,
    kernel=True,
    params=_nms_params,
)
def box_nms(
    xp,
    data,
    *,
    overlap_thresh: float = 0.5,
    valid_thresh: float = 0.0,
    topk: int = -1,
    coord_start: int = 2,
    score_index: int = 1,
    id_index: int = -1,
    background_id: int = -1,
    force_suppress: bool = False,
    in_format: Format = "corner",
    out_format: Format = "corner",
):
    """Non-maximum suppression of boxes (..., box, column): what remains, best first, then -1.

    Boxes with scores of `valid_thresh` or less, or of the class `background_id`, which is the
    column `id_index`, are dropped; of the `topk` best, one is dropped if it overlaps a better one
    of its class (with `force_suppress` of any) by more than `overlap_thresh`. ``topk=0`` returns
    data. Scores are the column `score_index`, boxes four from `coord_start` on, in `in_format`; the
    result has them in `out_format`. Source: MXNet operator box_nms.

    >>> x = mx.nd.array([[0, 0.5, 0, 0, 2, 2], [0, 0.9, 0, 0, 2, 2.1]])
    >>> mx.nd.contrib.box_nms(x).asnumpy()
    array([[ 0. ,  0.9,  0. ,  0. ,  2. ,  2.1],
           [-1. , -1. , -1. , -1. , -1. , -1. ]], dtype=float32)
    """
    attrs = {"overlap_thresh": overlap_thresh, "valid_thresh": valid_thresh, "topk": topk}
    attrs |= {"coord_start": coord_start, "score_index": score_index, "id_index": id_index}
    attrs |= {"background_id": background_id, "force_suppress": force_suppress}
    attrs["in_format"] = in_format
    rows = data.reshape(prod(data.shape[:-2]), *data.shape[-2:])
    if topk == 0:
        return data, xp.broadcast_to(xp.arange(rows.shape[1])[:, None], (*data.shape[:-1], 1))
    origin, out = xp.full(rows.shape[:2], -1, np.int64), xp.full_like(rows, -1)
    for i, batch in enumerate(rows):
        kept = _suppressed(xp, widen(xp, batch), attrs)
        origin[i, : len(kept)] = kept
        found = batch[kept].copy()
        if in_format != out_format:
            box = widen(xp, found[:, coord_start : coord_start + 4])
            found[:, coord_start : coord_start + 4] = (
                corners(xp, box) if out_format == "corner" else centers(xp, box)
            )
        out[i, : len(kept)] = found
    return out.reshape(data.shape), origin.reshape(*data.shape[:-1], 1)


@op("_backward_box_nms", shape=forward(lambda a, dy, origin: dy))
def backward_nms(xp, dy, origin):
    """Gradient of `box_nms`: rows of `dy` put back where they came from."""
    rows = dy.reshape(-1, *dy.shape[-2:])
    found = xp.zeros_like(rows)
    at = whole(xp, origin).reshape(rows.shape[:2])
    batch, place = xp.nonzero((at >= 0) & (at < rows.shape[1]))
    found[batch, at[batch, place]] = rows[batch, place]
    return found.reshape(dy.shape)


@box_nms.gradient("data")
def _(dy, outs):
    return backward_nms(dy, outs[1])


_SCORED = constant(
    [[[0, 0.5, 0, 0, 2, 2], [1, 0.9, 0, 0, 2, 2.1], [0, 0.3, 0.1, 0, 2, 2], [0, -1, 5, 5, 6, 6]]]
)
box_nms.sample(data=_SCORED, _second_order=False)
box_nms.sample(data=_SCORED, id_index=0, overlap_thresh=0.3, topk=3, _grad=())
backward_nms.sample(dy=normal(1, 3, 6), origin=constant([[[2], [0], [-1]]]), _grad=())


# ---- bipartite_matching ------------------------------------------------------------------------


def _matching_shape(attrs: Attrs, data: Sequence[int]) -> list:
    if len(data) < 2:
        raise MXNetError(f"data has {len(data)} axes, expected (..., rows, columns)")
    return [tuple(data[:-1]), (*data[:-2], data[-1])]


@op(
    "_contrib_bipartite_matching",
    shape=forward(_matching_shape),
    outputs=("output0", "output1"),
)
def bipartite_matching(xp, data, *, is_ascend: bool = False, threshold: float, topk: int = -1):
    """Rows and columns of scores (..., rows, columns) matched greedily, best first.

    Gives for each row its column, for each column its row, -1 where there is none. Scores must
    be above `threshold` (with `is_ascend`, where less is better, below). With ``topk`` positive,
    matching ends after ``topk + 1`` pairs, as in MXNet. Source: MXNet operator bipartite_matching.

    >>> scores = mx.nd.array([[0.5, 0.6], [0.1, 0.2], [0.3, 0.4]])
    >>> rows, columns = mx.nd.contrib.bipartite_matching(scores, threshold=1e-12)
    >>> print(rows.asnumpy(), columns.asnumpy())
    [ 1. -1.  0.] [2. 0.]
    """
    height, width = data.shape[-2:]
    scores = widen(xp, data).reshape(prod(data.shape[:-2]), height, width)
    scores = -scores if is_ascend else scores.copy()
    limit = scores.dtype.type(-threshold if is_ascend else threshold)
    by_row, by_column = xp.full(scores.shape[:2], -1), xp.full((len(scores), width), -1)
    pairs = min(height, width) if topk <= 0 else min(height, width, topk + 1)
    for i, free in enumerate(scores):
        for _ in range(pairs):
            row, column = divmod(int(xp.argmax(free)), width)
            if not free[row, column] > limit:
                break
            by_row[i, row], by_column[i, column] = column, row
            free[row], free[:, column] = -np.inf, -np.inf
    return by_row.reshape(data.shape[:-1]), by_column.reshape(*data.shape[:-2], width)


bipartite_matching.sample(data=uniform(2, 3, 4, low=0), threshold=0.2)
bipartite_matching.sample(data=uniform(4, 3, low=0), threshold=0.8, is_ascend=True, topk=1)
