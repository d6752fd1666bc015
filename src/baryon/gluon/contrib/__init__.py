"""Layers, cells, data and training loops beyond the core of Gluon (``mxnet.gluon.contrib``)."""

from __future__ import annotations

from . import nn

__all__ = ["nn"]
