"""Spatial transformers: sampling grids, and reading images at a grid's points.

Grids are ``(batch, 2, height, width)``: x, then y, in [-1, 1] over the image.
Source: Jaderberg, Simonyan, Zisserman and Kavukcuoglu, "Spatial transformer networks", NIPS 2015.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

import numpy as np

from ..base import MXNetError
from .attrs import Attrs, Shape
from .device import fixed
from .numeric import widen
from .op import op
from .rules import forward
from .samples import normal, uniform
from .taps import gather, scatter, slopes, taps

Transform = Literal["affine", "warp"]


# ---- grids -------------------------------------------------------------------------------------


def _target(shape: Sequence[int]) -> tuple[int, int]:
    if len(shape) != 2 or min(shape) < 1:
        raise MXNetError(f"target_shape is {tuple(shape)}, expected two positive numbers")
    return shape[0], shape[1]


def _grid_shape(attrs: Attrs, data: Sequence[int]) -> tuple[int, ...]:
    if attrs.transform_type == "affine":
        if len(data) != 2 or data[1] != 6:
            raise MXNetError(f"data has shape {tuple(data)}, expected (batch, 6)")
        return (data[0], 2, *_target(attrs.target_shape))
    if len(data) != 4 or data[1] != 2:
        raise MXNetError(f"data has shape {tuple(data)}, expected (batch, 2, height, width)")
    return tuple(data)


def _points(xp: Any, size: Sequence[int], dtype: Any) -> Any:
    """x, y and 1 of every pixel, (3, height * width); x and y over [-1, 1]."""
    rows, columns = (2 * xp.arange(n) / max(n - 1, 1) - 1 for n in size)
    y, x = xp.meshgrid(rows, columns, indexing="ij")
    return xp.stack([x, y, xp.ones_like(x)]).reshape(3, -1).astype(dtype)


def _half(xp: Any, size: Sequence[int], dtype: Any) -> Any:
    """Half the extent of x and of y in pixels, shaped to divide a flow field."""
    height, width = size
    half = [max(width - 1, 1) / 2, max(height - 1, 1) / 2]
    return fixed(xp, half, dtype).reshape(2, 1, 1)


def affine_grid(xp: Any, theta: Any, size: Sequence[int]) -> Any:
    """The grid that 2 x 3 matrices make of the pixels of an output of `size`."""
    grid = theta.reshape(-1, 2, 3) @ _points(xp, size, theta.dtype)
    return grid.reshape(len(theta), 2, *size)


@op("GridGenerator", shape=forward(_grid_shape), counted=lambda a: 2)
def grid_generator(xp, data, *, transform_type: Transform, target_shape: Shape = (0, 0)):
    """A grid for `BilinearSampler`: (batch, 2, height, width), x and y in [-1, 1].

    ``affine``: data (batch, 6) holds matrices that map points (x, y, 1) of an output of
    `target_shape`. ``warp``: data (batch, 2, height, width) says by how many pixels to shift x, y.
    Source: MXNet operator GridGenerator.

    >>> identity = mx.nd.array([[1, 0, 0, 0, 1, 0]])
    >>> mx.nd.GridGenerator(identity, transform_type="affine", target_shape=(1, 3)).asnumpy()[0, 0]
    array([[-1.,  0.,  1.]], dtype=float32)
    """
    data = widen(xp, data)
    if transform_type == "affine":
        return affine_grid(xp, data, target_shape)
    size = data.shape[2:]
    pixel = _points(xp, size, data.dtype)[:2].reshape(2, *size)
    return data / _half(xp, size, data.dtype) + pixel


def _grid_data_shape(attrs: Attrs, dy: Sequence[int]) -> tuple[int, ...]:
    return (dy[0], 6) if attrs.transform_type == "affine" else tuple(dy)


@op("_backward_GridGenerator", shape=forward(_grid_data_shape))
def backward_grid(xp, dy, *, transform_type: Transform):
    """Gradient of `grid_generator`, which is linear but for a constant."""
    dy, size = widen(xp, dy), dy.shape[2:]
    if transform_type == "warp":
        return dy / _half(xp, size, dy.dtype)
    points = _points(xp, size, dy.dtype)
    return (dy.reshape(len(dy), 2, int(np.prod(size))) @ points.T).reshape(len(dy), 6)


@grid_generator.gradient("data")
def _(dy, transform_type):
    return backward_grid(dy, transform_type=transform_type)


@backward_grid.gradient("dy")
def _(d_output, dy, transform_type):
    if transform_type == "warp":
        return backward_grid(d_output, transform_type=transform_type)
    size = dy.shape[2:]
    return grid_generator(d_output, transform_type=transform_type, target_shape=size)


grid_generator.sample(data=normal(2, 6), transform_type="affine", target_shape=(3, 4))
grid_generator.sample(data=normal(2, 2, 3, 4), transform_type="warp")
backward_grid.sample(dy=normal(2, 2, 3, 4), transform_type="affine")
backward_grid.sample(dy=normal(2, 2, 3, 4), transform_type="warp")


# ---- sampling ----------------------------------------------------------------------------------


def _sampled_shape(attrs: Attrs, data: Sequence[int], grid: Sequence[int]) -> tuple[int, ...]:
    if len(data) != 4:
        raise MXNetError(f"data has {len(data)} axes, expected (batch, channel, height, width)")
    if len(grid) != 4 or tuple(grid[:2]) != (data[0], 2):
        raise MXNetError(f"grid has shape {tuple(grid)}, expected ({data[0]}, 2, height, width)")
    return (*data[:2], *grid[2:])


def _grid_taps(xp: Any, grid: Any, size: Sequence[int]) -> Any:
    flat = grid.reshape(len(grid), 2, int(np.prod(grid.shape[2:])))
    height, width = size
    return taps(xp, (flat[:, 1] + 1) * (height - 1) / 2, (flat[:, 0] + 1) * (width - 1) / 2, size)


def sample_grid(xp: Any, data: Any, grid: Any) -> Any:
    """Images read at the points of a grid, 0 outside."""
    found = _grid_taps(xp, grid, data.shape[2:])
    out = gather(xp, data, found.index, found.weight)
    return out.reshape(*data.shape[:2], *grid.shape[2:])


@op("BilinearSampler", shape=forward(_sampled_shape), counted=lambda a: 2)
def bilinear_sampler(xp, data, grid, *, cudnn_off: bool | None = None):
    """`data` read at the points of `grid`, between pixels bilinearly; images are 0 outside.

    data : (batch, channel, height, width). grid : (batch, 2, out_height, out_width), x and y in
    [-1, 1]. `cudnn_off` changes no value. Source: MXNet operator BilinearSampler.

    >>> data = mx.nd.array([[[[1, 2], [3, 4]]]])
    >>> mx.nd.BilinearSampler(data, mx.nd.zeros((1, 2, 1, 1))).asnumpy().item()
    2.5
    """
    return sample_grid(xp, widen(xp, data), widen(xp, grid))


@op(
    "_backward_BilinearSampler",
    shape=lambda attrs, ins, outs: (ins, [ins[1], ins[2]]),
    outputs=("data", "grid"),
)
def backward_sampler(xp, dy, data, grid):
    """Gradients of `bilinear_sampler` by data and by grid."""
    dy, data, grid = (widen(xp, a) for a in (dy, data, grid))
    height, width = data.shape[2:]
    found = _grid_taps(xp, grid, (height, width))
    head = dy.reshape(*dy.shape[:2], int(np.prod(dy.shape[2:])))
    by_y, by_x = slopes(xp, data, head, found)
    by_grid = xp.stack([by_x * (width - 1) / 2, by_y * (height - 1) / 2], 1)
    by_data = scatter(xp, head, found.index, found.weight, data.shape)
    return by_data, by_grid.reshape(grid.shape)


@bilinear_sampler.gradient("data", "grid")
def _(dy, data, grid):
    return tuple(backward_sampler(dy, data, grid))


_CELLS = uniform(2, 2, 3, 4, low=-1.3, high=1.3)
bilinear_sampler.sample(data=normal(2, 3, 5, 4), grid=_CELLS, _second_order=False)
backward_sampler.sample(
    dy=normal(2, 3, 3, 4), data=normal(2, 3, 5, 4), grid=_CELLS, _second_order=False
)


def _transformed_shape(attrs: Attrs, data: Sequence[int], loc: Sequence[int]) -> tuple[int, ...]:
    if len(data) != 4:
        raise MXNetError(f"data has {len(data)} axes, expected (batch, channel, height, width)")
    if tuple(loc) != (data[0], 6):
        raise MXNetError(f"loc has shape {tuple(loc)}, expected {(data[0], 6)}")
    return (*data[:2], *_target(attrs.target_shape))


@op("SpatialTransformer", shape=forward(_transformed_shape), counted=lambda a: 3)
def spatial_transformer(
    xp,
    data,
    loc,
    *,
    target_shape: Shape = (0, 0),
    transform_type: Literal["affine"],
    sampler_type: Literal["bilinear"],
    cudnn_off: bool | None = None,
):
    """Images under affine maps: `GridGenerator` of loc (batch, 6), then `BilinearSampler`.

    `cudnn_off` changes no value. Source: MXNet operator SpatialTransformer.

    >>> data, mirror = mx.nd.array([[[[1, 2], [3, 4]]]]), mx.nd.array([[-1, 0, 0, 0, 1, 0]])
    >>> mx.nd.SpatialTransformer(data, mirror, target_shape=(2, 2), transform_type="affine",
    ...                          sampler_type="bilinear").asnumpy()[0, 0]
    array([[2., 1.],
           [4., 3.]], dtype=float32)
    """
    data, loc = widen(xp, data), widen(xp, loc)
    return sample_grid(xp, data, affine_grid(xp, loc, target_shape))


@spatial_transformer.gradient("data", "loc")
def _(dy, data, loc, target_shape):
    grid = grid_generator(loc, transform_type="affine", target_shape=target_shape)
    by_data, by_grid = backward_sampler(dy, data, grid)
    return by_data, backward_grid(by_grid, transform_type="affine")


spatial_transformer.sample(
    data=normal(2, 3, 5, 4),
    loc=normal(2, 6, scale=0.5),
    target_shape=(3, 4),
    transform_type="affine",
    sampler_type="bilinear",
    _second_order=False,
)
