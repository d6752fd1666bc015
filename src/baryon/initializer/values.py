"""Initializers that draw nothing."""

from __future__ import annotations

import json
from typing import Any

import numpy as np

from ..ndarray import NDArray
from .base import Initializer, alias, register


@alias("zeros")
@register
class Zero(Initializer):
    """All zeros."""

    def __init__(self) -> None:
        super().__init__()

    _init_weight = Initializer._init_zero


@alias("ones")
@register
class One(Initializer):
    """All ones."""

    def __init__(self) -> None:
        super().__init__()

    _init_weight = Initializer._init_one


@register
class Constant(Initializer):
    """One value, or an array of the parameter's shape."""

    def __init__(self, value: Any) -> None:
        super().__init__(value=value)
        self.value = value

    def _init_weight(self, _: str, arr: NDArray) -> None:
        arr[:] = self.value

    def dumps(self) -> str:
        """The initializer as JSON."""
        value = self.value
        if isinstance(value, NDArray):
            value = value.asnumpy()
        if isinstance(value, np.ndarray | np.generic):
            value = value.tolist()
        return json.dumps([type(self).__name__.lower(), {"value": value}])

    def __eq__(self, other: object) -> bool:
        return type(self) is type(other) and self.dumps() == other.dumps()

    __hash__ = None


@register
class Bilinear(Initializer):
    """Weights of bilinear up-sampling."""

    def __init__(self) -> None:
        super().__init__()

    _init_weight = Initializer._init_bilinear
