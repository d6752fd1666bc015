"""Optimizers: update rules shared by modules, Gluon trainers and hand-written loops."""

from . import contrib, optimizer, states
from .optimizer import *  # noqa: F403
from .optimizer import __all__ as _names

__all__ = ["contrib", "optimizer", "states", *_names]
