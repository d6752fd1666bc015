"""The catalogue of operators: one file a family, each operator declared once."""

from .op import REGISTRY, Op, Spec, get, op
from . import axes, blocks, creation, join, reshape, shape, slicing
from . import (  # noqa: E402,F401
    activation,
    dropout,
    heads,
    layer_norm,
    losses,
    norm,
    random,
    softmax,
    update,
    update_multi,
)
