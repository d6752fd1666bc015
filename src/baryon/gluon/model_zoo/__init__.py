"""Known networks, ready to be trained or loaded."""

from __future__ import annotations

from . import model_store, vision

__all__ = ["model_store", "vision"]
