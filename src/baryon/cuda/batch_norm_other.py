"""The variants of batch normalisation, by the kernels of batch normalisation itself."""

from __future__ import annotations

from typing import Any

from ..ops.batch_norm_other import _with_variance
from .batch_norm import batch_norm
from .registry import kernel
from .rows import wide


@kernel("_contrib_SyncBatchNorm", "BatchNorm_v1")
def other_batch_norm(xp, data, *vectors, key=None, ndev=1, **attrs):
    """See the operators."""
    full: dict[str, Any] = {"axis": 1, "cudnn_off": False} | attrs
    found = batch_norm(xp, data, *vectors, **full)
    if found is NotImplemented:
        return found
    out, mean, scale, *rest = found
    return _with_variance(xp, (out, mean, scale.astype(wide(scale.dtype)), *rest), attrs["eps"])
