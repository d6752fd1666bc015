"""Automatic mixed precision: products in 16 bits, what needs digits in 32."""

from . import amp, lists, loss_scaler
from .amp import *  # noqa: F403
from .amp import __all__ as _names

__all__ = [*_names, "amp", "lists", "loss_scaler"]
