"""Image datasets and transforms (``mxnet.gluon.data.vision``)."""

from . import datasets, transforms
from .datasets import *  # noqa: F403
