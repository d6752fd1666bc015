"""Layers, cells, data and training loops beyond the core of Gluon (``mxnet.gluon.contrib``)."""

from __future__ import annotations

from . import cnn, data, estimator, nn, rnn

__all__ = ["cnn", "data", "estimator", "nn", "rnn"]
