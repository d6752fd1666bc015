"""Launches of pooling regions with shifted cells and of rotated boxes."""

from __future__ import annotations

from typing import Any

import numpy as np

from .launch import blocks, dense, kernel_of, launch, output
from .meeting import met
from .regions import _regions
from .registry import kernel
from .rows import floating, wide


def _run(xp: Any, name: str, dtype: Any, count: int, *args: Any) -> None:
    """Launch over `count` elements; Python's ints are 64-bit."""
    args = tuple(np.int64(a) if type(a) is int else a for a in args)
    launch(kernel_of(xp, "shifted", name, T=np.dtype(dtype)), blocks(count), 256, *args)


class _Cells:
    """``Cells`` of ``shifted.cu``, by value, and the arrays that it points to."""

    def __init__(self, xp: Any, data: Any, rois: Any, trans: Any, attrs: dict) -> None:
        real, dim = wide(data.dtype), attrs["output_dim"]
        self.rois = _regions(xp, rois, data.dtype)
        self.trans = None if trans is None else dense(xp, trans)
        names = ("height", "width", "group", "pooled", "part", "each")
        packed = self.packed = np.zeros(
            1,
            np.dtype(
                [(n, np.uint64) for n in ("rois", "trans")]
                + [(n, np.int64) for n in ("batch", "dim", "classes")]
                + [(n, np.int32) for n in names]
                + [(n, real) for n in ("scale", "std")],
                align=True,
            ),
        )
        packed["rois"] = self.rois.data.ptr
        packed["trans"] = 0 if trans is None else self.trans.data.ptr
        packed["batch"], packed["dim"] = data.shape[0], dim
        packed["classes"] = 1 if trans is None else trans.shape[1] // 2
        part = 1 if trans is None else trans.shape[2]
        sizes = (*data.shape[2:], attrs["group_size"], attrs["pooled_size"], part)
        for name, size in zip(names, (*sizes, attrs["sample_per_part"]), strict=True):
            packed[name] = size
        packed["scale"], packed["std"] = attrs["spatial_scale"], attrs["trans_std"]


def _alike(*arrays: Any) -> bool:
    """Whether kernels serve all arrays (None: absent): one float type, nothing empty."""
    given = [a for a in arrays if a is not None]
    same = len({np.dtype(a.dtype) for a in given}) == 1
    return same and floating(*given) and all(a.size for a in given)


@kernel("_contrib_DeformablePSROIPooling")
def deformable_psroi_pooling(xp, data, rois, trans=None, *, output_dim, pooled_size, **attrs):
    """See the operator."""
    if not _alike(data, trans) or not floating(rois) or not rois.size:
        return NotImplemented
    attrs |= {"output_dim": output_dim, "pooled_size": pooled_size}
    cells = _Cells(xp, data, rois, trans, attrs)
    out = output(xp, (rois.shape[0], output_dim, pooled_size, pooled_size), data.dtype)
    _run(xp, "shifted_pool", data.dtype, out.size, dense(xp, data), cells.packed, out, out.size)
    return out


@kernel("_backward_DeformablePSROIPooling")
def backward_deformable(xp, dy, data, rois, trans=None, **attrs):
    """See the operator."""
    if not _alike(dy, data, trans) or not floating(rois):
        return NotImplemented
    cells, dy, data = _Cells(xp, data, rois, trans, attrs), dense(xp, dy), dense(xp, data)
    count, plane = dy.size, data.shape[2] * data.shape[3]

    def unpool(*sums: Any) -> None:
        _run(xp, "shifted_unpool", dy.dtype, count, dy, cells.packed, *sums, count)

    def move(*sums: Any) -> None:
        _run(xp, "shifted_moves", dy.dtype, count, dy, data, cells.packed, *sums, count)

    by_data = met(xp, data.shape, dy.dtype, plane, count // dy.shape[1], unpool)
    if trans is None:
        return (by_data,)
    return by_data, met(xp, trans.shape, dy.dtype, 1, count // dy.shape[0], move)


@kernel("_contrib_RROIAlign")
def rroi_align(xp, data, rois, *, pooled_size, spatial_scale, sampling_ratio):
    """See the operator."""
    if not floating(data, rois) or not data.size or not rois.size:
        return NotImplemented
    (batch, channels, *size), real = data.shape, wide(data.dtype)
    out = output(xp, (rois.shape[0], channels, *pooled_size), data.dtype)
    arrays = dense(xp, data), _regions(xp, rois, data.dtype), out
    sizes = out.size, batch, channels, *map(np.int32, (*size, *pooled_size))
    numbers = real(spatial_scale), np.int32(sampling_ratio)
    _run(xp, "rotated_align", data.dtype, out.size, *arrays, *sizes, *numbers)
    return out
