"""Images as arrays of the NumPy interface: operators, and all of ``mx.image``."""

from __future__ import annotations

from typing import Any

from .. import image as _legacy
from ..ndarray.numpy_extension import image as _arrays


def __getattr__(name: str) -> Any:
    found = getattr(_arrays, name, None)
    return getattr(_legacy, name) if found is None else found


def __dir__() -> list[str]:
    return sorted({*dir(_legacy), *dir(_arrays)})
