"""Contributed packages: mixed precision, quantization, old autograd, bridges, logs and texts."""

from __future__ import annotations

import importlib
from typing import Any

# Modules imported when first used: public name -> module.
_LAZY = {
    "amp": "amp",
    "autograd": "autograd",
    "io": "io",
    "nd": "ndarray",
    "ndarray": "ndarray",
    "quant": "quantization",
    "quantization": "quantization",
    "sym": "symbol",
    "symbol": "symbol",
    "tensorboard": "tensorboard",
    "text": "text",
}


def __getattr__(name: str) -> Any:
    if name not in _LAZY:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    found = globals()[name] = importlib.import_module(f"{__name__}.{_LAZY[name]}")
    return found


def __dir__() -> list[str]:
    return sorted({*globals(), *_LAZY})
