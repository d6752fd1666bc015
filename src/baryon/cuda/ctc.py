"""Launches of connectionist temporal classification and its gradient."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..ops.ctc import _lengths
from .launch import TYPES, blocks, dense, kernel_of, launch, output
from .registry import kernel
from .rows import floating, over_rows

_PATHS = np.dtype(
    [(name, np.uint64) for name in ("label", "steps", "lengths")]
    + [(name, np.int64) for name in ("time", "batch", "classes", "width", "last")]
)


class _Call:
    """One call's arrays, and the launches that forward and backward share."""

    def __init__(self, xp: Any, data: Any, label: Any, given: tuple, attrs: dict) -> None:
        self.xp, self.data, self.label = xp, dense(xp, data), dense(xp, label)
        lengths = _lengths(attrs, *(*given, None, None)[:2])
        self.kept = [None if x is None else dense(xp, x.astype(np.int64)) for x in lengths]
        pointers = [0 if x is None else x.data.ptr for x in (self.label, *self.kept)]
        last = attrs["blank_label"] == "last"
        self.packed = np.array([(*pointers, *data.shape, label.shape[1], last)], _PATHS)
        time, batch, classes = data.shape
        self.places = 2 * label.shape[1] + 1
        self.alpha = xp.empty((time, batch, self.places), np.float64)
        self.sums, self.whole = xp.empty((time, batch), np.float64), xp.empty(batch, np.float64)
        sizes = np.int64(time * batch), np.int64(classes)
        self.run("log_sums", *over_rows(time * batch, classes, 1), self.data, self.sums, *sizes)

    def run(self, name: str, grid: int, block: Any, *args: Any) -> None:
        """Launch a kernel of ``ctc.cu``."""
        types = {"T": self.data.dtype, "N": self.label.dtype}
        launch(kernel_of(self.xp, "ctc", name, **types), grid, block, *args)

    def by_sample(self, name: str, *args: Any) -> None:
        """Launch a kernel with a block a sample."""
        threads = min(1024, 32 * -(-self.places // 32))
        self.run(name, self.data.shape[1], threads, self.data, self.sums, self.packed, *args)

    def forward(self, loss: Any) -> Any:
        """The losses, and what a gradient goes on with."""
        self.by_sample("ctc_forward", self.alpha, self.whole, loss)
        return loss


def _served(data: Any, label: Any) -> bool:
    return floating(data) and data.size > 0 and np.dtype(label.dtype) in TYPES


@kernel("CTCLoss")
def ctc_loss(xp, data, label, *lengths, **attrs):
    """See the operator."""
    if not _served(data, label):
        return NotImplemented
    loss = output(xp, data.shape[1:2], data.dtype)
    return _Call(xp, data, label, lengths, attrs).forward(loss)


@kernel("_backward_ctc_loss")
def ctc_gradient(xp, dy, data, label, *lengths, **attrs):
    """See the operator."""
    if not _served(data, label) or dy.dtype != data.dtype:
        return NotImplemented
    dx, call = output(xp, data.shape, data.dtype), _Call(xp, data, label, lengths, attrs)
    call.forward(xp.empty(data.shape[1:2], data.dtype))
    after = xp.empty((2, data.shape[1], call.places), np.float64)
    call.by_sample("ctc_backward", call.alpha, call.whole, after)
    arrays = dense(xp, dy), call.data, call.sums, call.packed, call.alpha, call.whole, dx
    call.run("ctc_gradient", blocks(dx.size), 256, *arrays, np.int64(dx.size))
    return dx
