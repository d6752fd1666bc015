"""How much losses are multiplied, so that gradients of 16 bits do not vanish."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ...ndarray import multi_all_finite

__all__ = ["LossScaler"]


class LossScaler:
    """A scale that halves where gradients overflow, and doubles after 2000 steps without.

    Source: Micikevicius et al., "Mixed precision training", ICLR 2018; MXNet's LossScaler.

    >>> mx.contrib.amp.loss_scaler.LossScaler().loss_scale
    65536.0
    """

    def __init__(self) -> None:
        self._loss_scale = 2.0**16
        self._next_loss_scale = self._loss_scale
        self._max_loss_scale = 2.0**24
        self._scale_seq_len = 2000
        self._unskipped = 0

    @property
    def loss_scale(self) -> float:
        """What losses are multiplied by."""
        return self._loss_scale

    def has_overflow(self, params: Sequence[Any]) -> bool:
        """Whether a gradient of Parameters is not finite; changes the next scale accordingly."""
        grads = [g for p in params if p.grad_req != "null" for g in p.list_grad()]
        finite = all(
            bool(multi_all_finite(*group, num_arrays=len(group)).asnumpy()[0])
            for group in _by_dtype_and_device(grads)
        )
        self._loss_scale = self._next_loss_scale
        if not finite:
            self._next_loss_scale = self._loss_scale / 2
            self._unskipped = 0
        else:
            self._unskipped += 1
        if self._unskipped == self._scale_seq_len:
            self._unskipped = 0
            self._next_loss_scale = min(self._max_loss_scale, self._loss_scale * 2)
        return not finite


def _by_dtype_and_device(arrays: Sequence[Any]) -> list[list[Any]]:
    groups: dict[Any, list[Any]] = {}
    for x in arrays:
        groups.setdefault((x.dtype, str(x.context)), []).append(x)
    return list(groups.values())
