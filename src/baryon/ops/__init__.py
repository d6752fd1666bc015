"""The catalogue of operators: one file a family, each operator declared once."""

from .op import REGISTRY, Op, Spec, get, op
from . import binary, broadcast, cast, copies, functions, logic, piecewise, positions  # noqa: E402,F401
from . import reduce, scalar, unary
from . import (
    axes,
    blocks,
    creation,
    indexing,
    join,
    ordering,
    reshape,
    scatter,
    selection,
    sequence,
    shape,
    slicing,
)
from . import activation, dropout, heads, layer_norm, losses, lrn, norm, random, softmax, update
from . import random_other, random_sample, rnn, update_adaptive, update_multi, update_other
from . import adaptive_pooling, convolution, deconvolution, dot, fully_connected, linalg_gemm
from . import custom, pooling, pooling_v1
from . import columns, deformable_roi, psroi, resizing, roi, roi_align, rroi_align, spatial, upsampling
from . import attention, batch_norm_other, ctc, linalg, linalg_factor, linalg_triangle
from . import pdf, regularizer
from . import contrib, update_fused, update_helpers
