"""Stores of parameters that add up gradients over contexts (``mxnet.kvstore``)."""

from . import base, kvstore
from .base import KVStoreBase, create
from .kvstore import KVStore

__all__ = ["KVStore", "KVStoreBase", "create"]
