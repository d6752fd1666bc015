"""Gluon: models as Blocks, with Parameters, a Trainer, losses and layers."""

from __future__ import annotations

import importlib
from typing import Any

from ..ndarray import NDArray
from ..symbol import Symbol
from . import block, data, loss, nn, parameter, rnn, trainer, utils
from .block import Block, HybridBlock, SymbolBlock
from .parameter import Constant, DeferredInitializationError, Parameter, ParameterDict
from .trainer import Trainer

tensor_types = (Symbol, NDArray)

__all__ = [
    "Block",
    "Constant",
    "DeferredInitializationError",
    "HybridBlock",
    "Parameter",
    "ParameterDict",
    "SymbolBlock",
    "Trainer",
    "block",
    "contrib",
    "data",
    "loss",
    "model_zoo",
    "nn",
    "parameter",
    "rnn",
    "trainer",
    "utils",
]


def __getattr__(name: str) -> Any:
    """Import what few programs use when it is first asked for."""
    if name not in ("contrib", "model_zoo"):
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return importlib.import_module(f"{__name__}.{name}")
