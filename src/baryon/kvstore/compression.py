"""Two-bit gradient compression with error feedback (Strom 2015)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..base import MXNetError
from ..ndarray import NDArray


class TwoBit:
    """Each element becomes ``threshold``, ``-threshold`` or 0; what that loses is added next time.

    The remainder is kept for each key and place, that is for each context's gradients.
    """

    def __init__(self, threshold: float) -> None:
        self.threshold = threshold
        self._residuals: dict[Any, NDArray] = {}

    @classmethod
    def from_params(cls, params: Mapping[str, Any]) -> TwoBit:
        """From ``{"type": "2bit", "threshold": 0.5}``; MXNetError for anything else."""
        if "type" not in params:
            raise MXNetError("gradient compression: required parameter 'type' is missing")
        if params["type"] != "2bit":
            raise MXNetError(
                f"gradient compression: unknown type {params['type']!r}; there is '2bit'"
            )
        threshold = float(params.get("threshold", 0.5))
        if not threshold > 0:
            raise MXNetError(f"gradient compression: threshold must be positive, got {threshold}")
        return cls(threshold)

    def __call__(self, place: Any, gradient: NDArray) -> NDArray:
        """What would arrive of a gradient."""
        total = gradient
        if place in self._residuals:
            total = self._residuals[place] + gradient
        sent = ((total >= self.threshold) - (total <= -self.threshold)) * self.threshold
        self._residuals[place] = total - sent
        return sent
