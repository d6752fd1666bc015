"""Launches of activations that are no links of chains."""

from __future__ import annotations

import numpy as np

from ..ops.functions import sigmoid
from .chain import alone
from .launch import blocks, dense, kernel_of, launch, output, width
from .registry import kernel
from .rows import floating, wide

_KINDS = ("elu", "gelu", "leaky", "selu")


@kernel("LeakyReLU")
def leaky_relu(xp, data, gamma=None, *, act_type, slope, **attrs):
    """See the operator; slopes that are learned or drawn are left to its body."""
    if act_type not in _KINDS or not floating(data) or not data.size:
        return NotImplemented
    data, out = dense(xp, data), output(xp, data.shape, data.dtype)
    each = width(data, out, along=data.size)
    run = kernel_of(xp, "activation", "rectify", T=data.dtype, WIDTH=each)
    packs = data.size // each
    more = wide(data.dtype)(slope), np.int32(_KINDS.index(act_type))
    launch(run, blocks(packs), 256, data, out, np.int64(packs), *more)
    return out


@kernel("LogisticRegressionOutput")
def logistic_regression_output(xp, data, label, *, grad_scale):
    """See the operator."""
    return alone(sigmoid)(xp, data)
