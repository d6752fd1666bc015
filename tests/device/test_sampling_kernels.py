"""CUDA kernels that read between pixels: odd sizes, groups, points outside, no numbers."""

from __future__ import annotations

import numpy as np
import pytest
from cuda_emulator import compiler
from test_kernels import check

pytestmark = pytest.mark.skipif(compiler is None, reason="g++ is not installed")
RNG = np.random.default_rng(5)


@pytest.mark.parametrize("size", [(1, 1), (1, 7), (13, 5)])
def test_samplers(size):
    data, grid = RNG.normal(size=(2, 3, *size)), RNG.uniform(-1.5, 1.5, (2, 2, 9, 31))
    grid[0, 0, 0, :3] = np.nan, np.inf, -np.inf
    check("BilinearSampler", data, grid)
    dy = RNG.normal(size=(2, 3, 9, 31))
    check("_backward_BilinearSampler", dy, data, grid, rtol=1e-4)
    loc = RNG.normal(size=(2, 6))
    more = dict(target_shape=(11, 17), transform_type="affine", sampler_type="bilinear")
    check("SpatialTransformer", data, loc, rtol=2e-4, **more)


@pytest.mark.parametrize("modulated", [False, True])
@pytest.mark.parametrize("groups", [1, 2])
def test_deformable_convolutions(modulated, groups):
    data, weight = RNG.normal(size=(2, 4, 11, 9)), RNG.normal(size=(6, 4 // groups, 3, 2))
    offset = RNG.normal(0, 3, (2, 2 * groups * 6, 6, 10))
    mask = [RNG.uniform(size=(2, groups * 6, 6, 10))] if modulated else []
    window = dict(kernel=(3, 2), stride=(2, 1), pad=(1, 1), num_group=groups)
    window["num_deformable_group"] = groups
    name = "_contrib_ModulatedDeformableConvolution" if modulated else None
    name = name or "_contrib_DeformableConvolution"
    more = dict(num_filter=6, no_bias=True)
    check(name, data, offset, *mask, weight, rtol=1e-4, **window, **more)
    arrays = RNG.normal(size=(2, 6, 6, 10)), data, offset, *mask, weight
    name = "_backward_DeformableConvolution"
    check(name, *arrays, rtol=1e-4, modulated=modulated, **window)


@pytest.mark.parametrize("align", [False, True])
@pytest.mark.parametrize("size, out", [((7, 5), (19, 23)), ((31, 12), (5, 1)), ((1, 4), (3, 9))])
def test_resizing(size, out, align):
    data, dy = RNG.normal(size=(2, 3, *size)), RNG.normal(size=(2, 3, *out))
    more = dict(align_corners=align, rtol=1e-4)
    check("_contrib_BilinearResize2D", data, height=out[0], width=out[1], **more)
    check("_backward_BilinearResize2D", dy, height=size[0], width=size[1], **more)


@pytest.mark.parametrize("size, out", [((7, 5), (3, 5)), ((40, 50), (1, 1)), ((3, 4), (7, 11))])
def test_even_windows(size, out):
    data, dy = RNG.normal(size=(2, 3, *size)), RNG.normal(size=(2, 3, *out))
    check("_contrib_AdaptiveAvgPooling2D", data, output_size=out)
    check("_backward_AdaptiveAvgPooling2D", dy, shape=data.shape)


@pytest.mark.parametrize("multiply", [False, True])
def test_correlation(multiply):
    images = RNG.normal(size=(2, 2, 5, 13, 11))
    attrs = dict(kernel_size=3, max_displacement=3, stride1=2, stride2=2, pad_size=2)
    check("Correlation", *images, is_multiply=multiply, **attrs)
    dy = RNG.normal(size=(2, 9, 5, 4))
    check("_backward_Correlation", dy, *images, is_multiply=multiply, rtol=1e-4, **attrs)


@pytest.mark.parametrize("nsize", [1, 5, 99])
def test_normalisation_over_channels(nsize):
    data, dy = RNG.normal(size=(2, 9, 5, 7)), RNG.normal(size=(2, 9, 5, 7))
    attrs = dict(alpha=0.3, beta=0.75, knorm=1.5, nsize=nsize)
    check("LRN", data, **attrs)
    scale = RNG.uniform(1, 2, (2, 9, 5, 7))
    check("_backward_LRN", dy, data, scale, rtol=1e-4, **attrs)


WILD = np.array(
    [[0, 1, 1, 9, 7], [1, -30, 2, 90, 3], [2, 0, 0, 3, 3], [0, 5, 5, 2, 2], [1, 3, 3, 3, 3]]
)


@pytest.mark.parametrize("parts", [0, 3])
def test_shifted_cells(parts):
    data, dy = RNG.normal(size=(2, 4 * 9, 11, 13)), RNG.normal(size=(5, 4, 5, 5))
    attrs = dict(spatial_scale=0.9, output_dim=4, group_size=3, pooled_size=5, sample_per_part=3)
    attrs |= dict(trans_std=0.2, no_trans=not parts)
    trans = [RNG.normal(size=(5, 4, parts, parts))] if parts else []
    rois = WILD.astype(float)
    more = dict(part_size=parts, rtol=1e-4)
    check("_contrib_DeformablePSROIPooling", data, rois, *trans, **attrs, **more)
    check("_backward_DeformablePSROIPooling", dy, data, rois, *trans, rtol=1e-3, **attrs)


@pytest.mark.parametrize("ratio", [-1, 3])
def test_rotated_boxes(ratio):
    data = RNG.normal(size=(2, 3, 11, 13))
    rois = np.concatenate([WILD, [[30], [-200], [0], [90], [45]]], 1).astype(float)
    more = dict(pooled_size=(4, 3), spatial_scale=0.8, sampling_ratio=ratio, rtol=1e-4)
    check("_contrib_RROIAlign", data, rois, **more)
