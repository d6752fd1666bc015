"""Image datasets and transforms (``mxnet.gluon.data.vision``)."""

from . import transforms
from .datasets import MNIST, FashionMNIST

__all__ = ["MNIST", "FashionMNIST", "transforms"]
