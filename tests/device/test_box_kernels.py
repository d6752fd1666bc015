"""CUDA kernels on boxes: more of them than a block of threads takes, ties and repetitions."""

from __future__ import annotations

import numpy as np
import pytest
from cuda_emulator import compiler
from test_kernels import check

pytestmark = pytest.mark.skipif(compiler is None, reason="g++ is not installed")
RNG = np.random.default_rng(11)


def boxes(*shape, grid=0):
    """Boxes in the unit square; with `grid` on so many lines, which makes overlaps tie."""
    low, size = RNG.uniform(0, 0.7, (*shape, 2)), RNG.uniform(0.05, 0.3, (*shape, 2))
    found = np.concatenate([low, low + size], -1)
    found = np.round(found * grid) / grid if grid else found
    return found.astype(np.float32)


@pytest.mark.parametrize("grid", [0, 8])
@pytest.mark.parametrize("attrs", [{}, {"topk": 100}, {"id_index": 0, "background_id": 1}])
def test_suppression(attrs, grid):
    scores = RNG.permutation(2 * 700).reshape(2, 700, 1) / 1400 - 0.1
    ids = RNG.integers(0, 4, (2, 700, 1))
    rows = np.concatenate([ids, scores, boxes(2, 700, grid=grid)], -1)
    check("_contrib_box_nms", rows, overlap_thresh=0.4, **attrs)


def test_pairs_and_matches():
    check("_contrib_box_iou", boxes(3, 70, grid=9), boxes(45), format="corner")
    for ascend in (False, True):
        scores = RNG.integers(0, 40, (3, 40, 31)) / 40  # with ties
        attrs = dict(is_ascend=ascend, threshold=0.5)
        check("_contrib_bipartite_matching", scores, **attrs)
        check("_contrib_bipartite_matching", scores, topk=5, **attrs)


@pytest.mark.parametrize("grid", [0, 10])
@pytest.mark.parametrize("mining", [-1.0, 3.0])
def test_targets(mining, grid):
    label = np.concatenate([RNG.integers(0, 3, (4, 9, 1)), boxes(4, 9, grid=grid)], -1)
    label[1, 5:, 0] = -1
    label[2, :, 0] = -1
    attrs = dict(overlap_threshold=0.5, negative_mining_ratio=mining, ignore_label=-2.0)
    scores = RNG.normal(size=(4, 4, 600))
    check("_contrib_MultiBoxTarget", boxes(1, 600, grid=grid), label, scores, **attrs)


@pytest.mark.parametrize(
    "attrs",
    [{}, {"nms_topk": 200}, {"nms_threshold": -1.0}, {"force_suppress": True, "clip": False}],
)
def test_detections(attrs):
    probs = RNG.permutation(2 * 3 * 700).reshape(2, 3, 700) / 4200
    offsets = RNG.normal(0, 0.5, (2, 2800))
    check("_contrib_MultiBoxDetection", probs, offsets, boxes(1, 700), threshold=0.3, **attrs)


@pytest.mark.parametrize("attrs", [{}, {"iou_loss": True}, {"rpn_pre_nms_top_n": 50}])
def test_proposals(attrs):
    probs = RNG.permutation(2 * 12 * 9 * 11).reshape(2, 12, 9, 11) / 2376
    moves, info = RNG.normal(0, 0.2, (2, 24, 9, 11)), np.array([[140, 160, 1.0], [130, 180, 1.5]])
    sizes = dict(scales=(1, 2, 4), ratios=(0.5, 1), rpn_post_nms_top_n=40, rpn_min_size=8)
    check("_contrib_MultiProposal", probs, moves, info, **sizes, **attrs)


def test_offsets_and_rows_put_back():
    anchors, refs = boxes(2, 300), boxes(2, 7)
    positive, match = (RNG.integers(-1, n, (2, 300)).astype(float) for n in (2, 9))
    numbers = np.full(4, 0.1), np.full(4, 0.2)
    check("_contrib_box_encode", positive, match, anchors, refs, *numbers)
    moves = RNG.normal(size=(3, 300, 4))
    check("_contrib_box_decode", moves, anchors[:1], format="corner", std1=0.5, clip=0.3)
    origin = np.stack([RNG.permutation(600)[:300] - 50.0 for _ in range(2)])[..., None]
    check("_backward_box_nms", RNG.normal(size=(2, 300, 6)), origin)
