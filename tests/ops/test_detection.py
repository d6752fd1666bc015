"""Detection operators beyond the contract: what MXNet 1.9.1 does at the edges, and wild input."""

from __future__ import annotations

import numpy as np
import pytest

import baryon as mx

C = mx.nd.contrib


def plain_iou(a, b):
    """Intersection over union of two boxes, number by number."""
    width = min(a[2], b[2]) - max(a[0], b[0])
    height = min(a[3], b[3]) - max(a[1], b[1])
    common = max(width, 0) * max(height, 0)
    union = (a[2] - a[0]) * (a[3] - a[1]) + (b[2] - b[0]) * (b[3] - b[1]) - common
    return common / union if union > 0 else 0


def boxes(rng, count):
    corners = np.sort(rng.uniform(0, 1, (count, 2, 2)), 1)
    return corners.reshape(count, 4).astype("float32")


def plain_nms(rows, threshold):
    """Greedy suppression of (class, score, box) rows, box by box."""
    kept = []
    for row in sorted(rows.tolist(), key=lambda r: -r[1]):
        if all(k[0] != row[0] or plain_iou(k[2:], row[2:]) <= threshold for k in kept):
            kept.append(row)
    return np.array(kept)


@pytest.mark.parametrize("seed", range(5))
def test_nms_is_greedy_suppression(seed):
    rng = np.random.default_rng(seed)
    rows = np.concatenate(
        [rng.integers(0, 2, (20, 1)), rng.uniform(0.1, 1, (20, 1)), boxes(rng, 20)], -1
    ).astype("float32")
    want = plain_nms(rows, 0.3)
    got = C.box_nms(mx.nd.array(rows), overlap_thresh=0.3, id_index=0).asnumpy()
    np.testing.assert_allclose(got[: len(want)], want, rtol=1e-5)
    assert (got[len(want) :] == -1).all()


def test_nms_drops_the_background_even_where_it_is_minus_one():
    rows = mx.nd.array([[-1, 0.9, 0, 0, 1, 1], [1, 0.5, 0, 0, 1, 1]])
    assert C.box_nms(rows, id_index=0).asnumpy()[0, 1] == np.float32(0.5)
    assert C.box_nms(rows).asnumpy()[0, 1] == np.float32(0.9)


def test_nms_of_none_passes_data_and_gradient():
    x = mx.nd.array([[0, 0.9, 0, 0, 1, 1], [1, 0.5, 0, 0, 1, 1]])
    x.attach_grad()
    with mx.autograd.record():
        y = C.box_nms(x, topk=0)
    y.backward(x * 2)
    np.testing.assert_array_equal(y.asnumpy(), x.asnumpy())
    np.testing.assert_array_equal(x.grad.asnumpy(), 2 * x.asnumpy())


def test_nms_refuses_columns_that_are_not_there():
    with pytest.raises(mx.MXNetError, match="box_nms.*no such columns"):
        C.box_nms(mx.nd.zeros((3, 6)), coord_start=3)
    with pytest.raises(mx.MXNetError, match="box_nms.*no such columns"):
        C.box_nms(mx.nd.zeros((3, 6)), score_index=-2)


@pytest.mark.parametrize("wild", [-5, 7, 1e9, -1e30, np.nan, np.inf])
def test_encode_clips_wild_matches(wild):
    one, anchors = mx.nd.ones((1, 1)), mx.nd.array([[[0, 0, 1, 1]]])
    refs = mx.nd.array([[[0, 0, 2, 2], [1, 1, 2, 2]]])
    means, stds = mx.nd.zeros(4), mx.nd.ones(4)
    offsets, _ = C.box_encode(one, mx.nd.array([[wild]]), anchors, refs, means, stds)
    assert np.isfinite(offsets.asnumpy()).all()


def test_target_of_an_image_without_boxes_is_ignored():
    anchor = mx.nd.array([[[0, 0, 0.5, 0.5], [0.5, 0.5, 1, 1]]])
    label = mx.nd.array([[[-1, -1, -1, -1, -1]]])
    offsets, mask, classes = C.MultiBoxTarget(anchor, label, mx.nd.ones((1, 3, 2)), ignore_label=9)
    assert not offsets.asnumpy().any() and not mask.asnumpy().any()
    np.testing.assert_array_equal(classes.asnumpy(), [[9, 9]])


def test_target_mines_the_negatives_that_look_least_like_background():
    anchor = mx.nd.array([[[0, 0, 0.5, 0.5], [0.6, 0.6, 1, 1], [0.7, 0.1, 1, 0.3]]])
    label = mx.nd.array([[[1, 0, 0, 0.5, 0.5]]])
    scores = mx.nd.array([[[0, 5, -5], [0, 0, 0]]])  # the second anchor is sure, the third wrong
    classes = C.MultiBoxTarget(anchor, label, scores, negative_mining_ratio=1)[2]
    np.testing.assert_array_equal(classes.asnumpy(), [[2, -1, 0]])


def test_detection_leaves_rows_beyond_the_best_where_they_were():
    scores = mx.nd.array([[[0, 0, 0], [0.5, 0.7, 0.9]]])
    anchor = mx.nd.array([[[0, 0, 0.2, 0.2], [0.3, 0.3, 0.5, 0.5], [0.6, 0.6, 0.8, 0.8]]])
    found = C.MultiBoxDetection(scores, mx.nd.zeros((1, 12)), anchor, nms_topk=1).asnumpy()[0]
    np.testing.assert_allclose(found[:, :2], [[0, 0.9], [-1, 0.7], [-1, 0.9]], rtol=1e-6)


def test_proposals_are_few_and_repeated():
    scores, moves = mx.nd.ones((1, 2, 1, 2)), mx.nd.zeros((1, 4, 1, 2))
    info = mx.nd.array([[16, 32, 1]])
    rois, found = C.Proposal(
        scores, moves, info, scales=(1,), ratios=(1,), rpn_post_nms_top_n=3, output_score=True
    )
    left, right = [0, 0, 0, 15, 15], [0, 16, 0, 31, 15]
    np.testing.assert_array_equal(rois.asnumpy(), [left, right, left])
    assert found.shape == (3, 1)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf, 1e30])
def test_wild_boxes_and_scores_end(value):
    wild = mx.nd.full((1, 4, 6), value)
    C.box_nms(wild).wait_to_read()
    C.box_iou(wild[:, :, :4], wild[:, :, :4]).wait_to_read()
    C.MultiBoxDetection(mx.nd.full((1, 3, 2), value), mx.nd.full((1, 8), value), wild[:, :2, :4])
    label = mx.nd.full((1, 2, 5), value)
    C.MultiBoxTarget(wild[:, :2, :4], label, mx.nd.full((1, 3, 2), value), negative_mining_ratio=1)
    moves = mx.nd.full((1, 4, 2, 2), value)
    info = mx.nd.full((1, 3), value)
    rois = C.Proposal(
        mx.nd.full((1, 2, 2, 2), value), moves, info, scales=(1,), ratios=(1,), rpn_post_nms_top_n=2
    )
    assert rois.shape == (2, 5)


def test_proposal_serves_one_image():
    with pytest.raises(mx.MXNetError, match="one image"):
        C.Proposal(mx.nd.ones((2, 2, 1, 1)), mx.nd.zeros((2, 4, 1, 1)), mx.nd.ones((2, 3)))
