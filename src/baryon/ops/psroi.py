"""Position-sensitive pooling of regions: every cell reads channels of its own group.

Source: Dai, Li, He and Sun, "R-FCN", NIPS 2016.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ..base import MXNetError
from .attrs import Attrs, Shape
from .numeric import widen
from .op import op
from .roi import ROIS, cells, check_regions, edges, regions, rounded
from .roi_align import INSIDE, Regions, averages, spread
from .rules import forward
from .samples import normal

# ---- PSROIPooling ------------------------------------------------------------------------------


def _group_size(attrs: Any) -> int:
    return attrs["group_size"] or attrs["pooled_size"]


def _sensitive_shape(attrs: Attrs, data: Sequence[int], rois: Sequence[int]) -> tuple[int, ...]:
    check_regions(data, rois)
    cells((attrs.pooled_size, attrs.output_dim))
    want = attrs.output_dim * _group_size(attrs) ** 2
    if attrs.group_size < 0 or data[1] != want:
        raise MXNetError(f"data has {data[1]} channels, expected {want}, output_dim * group_size^2")
    return rois[0], attrs.output_dim, attrs.pooled_size, attrs.pooled_size


def _mean_matrix(xp: Any, start: Any, extent: Any, count: int, size: int) -> Any:
    """(region, count, size): the mean over whole pixels in each cell."""
    begin, end = (xp.asarray(e)[..., None] for e in edges(xp, start, extent, count, size))
    pixel = xp.arange(size)
    inside_cell = (pixel >= begin) & (pixel < end)
    return (inside_cell / xp.maximum(end - begin, 1)).astype(start.dtype)


def _means(xp: Any, rois: Any, size: Sequence[int], scale: float, pooled: int) -> Regions:
    if not len(rois):
        shapes = ((0, pooled, n) for n in size)
        return Regions(rois[:, 0], *(xp.zeros(s, rois.dtype) for s in shapes))
    image, (x1, y1, x2, y2) = regions(xp, rois)
    scale = rois.dtype.type(scale)
    x1, y1 = rounded(xp, x1) * scale, rounded(xp, y1) * scale
    x2, y2 = (rounded(xp, x2) + 1) * scale, (rounded(xp, y2) + 1) * scale
    least = rois.dtype.type(0.1)
    rows = _mean_matrix(xp, y1, xp.maximum(y2 - y1, least), pooled, size[0])
    return Regions(image, rows, _mean_matrix(xp, x1, xp.maximum(x2 - x1, least), pooled, size[1]))


def cell_groups(xp: Any, count: int, groups: int) -> Any:
    """The group that each of `count` cells along an axis belongs to."""
    return xp.minimum(xp.arange(count) * groups // count, groups - 1)


def _pooled_groups(xp: Any, pooled: int, group: int) -> tuple:
    each = cell_groups(xp, pooled, group)
    return each, each, (group, group)


@op("_contrib_PSROIPooling", shape=forward(_sensitive_shape))
def psroi_pooling(
    xp, data, rois, *, spatial_scale: float, output_dim: int, pooled_size: int, group_size: int = 0
):
    """The mean in every cell of a grid over each region, each cell from channels of its own.

    data : (batch, output_dim * group_size^2, height, width). rois : (regions, 5), image number,
    then x1, y1, x2, y2. `group_size` defaults to `pooled_size`. There is no gradient for rois.
    Sources: MXNet operator PSROIPooling; Dai et al., "R-FCN", NIPS 2016.

    >>> x, rois = mx.nd.arange(16).reshape((1, 4, 2, 2)), mx.nd.array([[0, 0, 0, 1, 1]])
    >>> mx.nd.contrib.PSROIPooling(x, rois, spatial_scale=1.0, output_dim=1,
    ...                            pooled_size=2).asnumpy()[0, 0]
    array([[ 0.,  5.],
           [10., 15.]], dtype=float32)
    """
    data = widen(xp, data)
    found = _means(xp, widen(xp, rois), data.shape[2:], spatial_scale, pooled_size)
    groups = _pooled_groups(xp, pooled_size, group_size or pooled_size)
    return averages(xp, data, found, groups)


@op("_backward_PSROIPooling", shape=forward(lambda a, dy, rois: a.shape))
def backward_psroi(
    xp, dy, rois, *, shape: Shape, spatial_scale: float, pooled_size: int, group_size: int
):
    """Gradient of `psroi_pooling` by data of `shape`."""
    found = _means(xp, widen(xp, rois), shape[2:], spatial_scale, pooled_size)
    groups = _pooled_groups(xp, pooled_size, group_size or pooled_size)
    return spread(xp, widen(xp, dy), found, shape, groups)


def _geometry(attrs: Attrs) -> dict[str, Any]:
    return {n: attrs[n] for n in ("spatial_scale", "pooled_size", "group_size")}


@psroi_pooling.gradient("data")
def _(dy, data, rois, attrs):
    return backward_psroi(dy, rois, shape=data.shape, **_geometry(attrs))


@backward_psroi.gradient("dy")
def _(d_output, dy, rois, attrs):
    return psroi_pooling(d_output, rois, output_dim=dy.shape[1], **_geometry(attrs))


psroi_pooling.sample(
    data=normal(2, 8, 7, 6), rois=ROIS, spatial_scale=0.7, output_dim=2, pooled_size=2
)
psroi_pooling.sample(
    data=normal(2, 4, 5, 5), rois=INSIDE, spatial_scale=1, output_dim=1, pooled_size=3, group_size=2
)
backward_psroi.sample(
    dy=normal(5, 2, 2, 2),
    rois=ROIS,
    shape=(2, 8, 7, 6),
    **dict(spatial_scale=0.7, pooled_size=2, group_size=0, _grad=("dy",)),
)
