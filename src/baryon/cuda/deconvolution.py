"""Transposed convolutions: what gives a convolution's gradient by its data gives them."""

from __future__ import annotations

from typing import Any

from ..ops.deconvolution import _resolve
from ..ops.upsampling import _geometry
from ..ops.windows import is_channels_last, shape_first, shape_last
from .convolution import backward_data
from .registry import kernel


@kernel("Deconvolution")
def deconvolution(xp, data, weight, bias=None, *, num_filter, layout=None, **attrs):
    """See the operator."""
    given = {"dilate": (), "pad": (), "adj": (), "target_shape": ()} | attrs
    batch, *_ = first = shape_first(data.shape, layout)
    win, sizes = _resolve(given, first)
    geometry = {n: given[n] for n in ("kernel", "stride", "dilate", "num_group")}
    geometry |= {"pad": win.pad, "layout": layout}
    shape: Any = shape_last((batch, num_filter, *sizes), layout)
    out = backward_data(xp, data, weight, shape=shape, **geometry)
    if out is NotImplemented or bias is None:
        return out
    across = (-1,) if is_channels_last(layout) else (-1, *(1,) * (data.ndim - 2))
    out += bias.reshape(across)
    return out


@kernel("UpSampling")
def up_sampling(xp, *data, sample_type, scale, num_filter, **attrs):
    """See the operator; copies of pixels are left to its body."""
    if sample_type != "bilinear":
        return NotImplemented
    return deconvolution(xp, *data, num_filter=num_filter, **_geometry(scale, num_filter))
