"""Tokens, their numbers and their vectors (``mxnet.contrib.text``)."""

from . import embedding, utils, vocab

__all__ = ["embedding", "utils", "vocab"]
