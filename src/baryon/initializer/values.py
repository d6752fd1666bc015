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
    """All zeros.

    >>> x = mx.nd.empty((2,))
    >>> mx.init.Zero()(mx.init.InitDesc("fc_weight"), x)
    >>> x.asnumpy()
    array([0., 0.], dtype=float32)
    """

    def __init__(self) -> None:
        super().__init__()

    _init_weight = Initializer._init_zero


@alias("ones")
@register
class One(Initializer):
    """All ones.

    >>> x = mx.nd.empty((2,))
    >>> mx.init.One()(mx.init.InitDesc("fc_weight"), x)
    >>> x.asnumpy()
    array([1., 1.], dtype=float32)
    """

    def __init__(self) -> None:
        super().__init__()

    _init_weight = Initializer._init_one


@register
class Constant(Initializer):
    """One value, or an array of the parameter's shape.

    >>> x = mx.nd.empty((2,))
    >>> mx.init.Constant(2.5)(mx.init.InitDesc("fc_weight"), x)
    >>> x.asnumpy()
    array([2.5, 2.5], dtype=float32)
    """

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
    """Weights of bilinear up-sampling.

    >>> x = mx.nd.empty((1, 1, 4, 4))
    >>> mx.init.Bilinear()(mx.init.InitDesc("fc_weight"), x)
    >>> x.asnumpy()[0, 0, 1]
    array([0.1875, 0.5625, 0.5625, 0.1875], dtype=float32)
    """

    def __init__(self) -> None:
        super().__init__()

    _init_weight = Initializer._init_bilinear
