"""How an operator runs on a device: by its CUDA implementation where there is one, or its body."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any


def device_body(op: Any) -> Callable[..., Any]:
    """What computes `op` on device arrays, called as its body is."""
    from ..cuda import implementation

    found = implementation(op)
    if found is None:
        return op.body

    def compute(xp: Any, *arrays: Any, **attrs: Any) -> Any:
        result = found(xp, *arrays, **attrs)
        return op.body(xp, *arrays, **attrs) if result is NotImplemented else result

    return compute
