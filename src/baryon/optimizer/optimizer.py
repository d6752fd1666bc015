"""``mxnet.optimizer.optimizer``: the module path by which programs and saved states know these."""

from typing import Any

from .. import ndarray
from ..ndarray import NDArray
from ..ndarray import abs as NDabs  # noqa: N812 - MXNet's name
from ..ndarray import norm as NDnorm  # noqa: N812 - MXNet's name
from .adam import FTML, LAMB, Adam, Adamax, AdamW, Nadam
from .adaptive import AdaDelta, AdaGrad, Ftrl, RMSProp
from .base import Optimizer, Test, create, register
from .large_batch import LARS, LBSGD
from .sgd import DCASGD, NAG, SGD, SGLD, Signum, ccSGD
from .updater import Updater, get_updater

__all__ = [
    "DCASGD",
    "FTML",
    "LAMB",
    "LARS",
    "LBSGD",
    "NAG",
    "SGD",
    "SGLD",
    "AdaDelta",
    "AdaGrad",
    "Adam",
    "AdamW",
    "Adamax",
    "Ftrl",
    "NDArray",
    "NDabs",
    "NDnorm",
    "Nadam",
    "Optimizer",
    "RMSProp",
    "Signum",
    "Test",
    "Updater",
    "ccSGD",
    "create",
    "get_updater",
    "register",
]


def __getattr__(name: str) -> Any:
    """MXNet's module also has the array functions that it uses, such as `sgd_update`."""
    if name.startswith("__"):
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(ndarray, name)
