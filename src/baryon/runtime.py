"""What this build can do (``mxnet.runtime``)."""

from __future__ import annotations

import platform
from collections import OrderedDict

from .base import MXNetError
from .context import num_gpus
from .native import native

__all__ = ["Feature", "Features", "describe", "feature_list"]


class Feature:
    """One ability of the build: `name` and whether it is `enabled`."""

    def __init__(self, name: str, enabled: bool) -> None:
        self.name = name
        self.enabled = enabled

    def __repr__(self) -> str:
        return f"{'✔' if self.enabled else '✖'} {self.name}"


def _has_blas() -> bool:
    if native is None:
        return False
    try:
        native.load_blas()
    except MXNetError:
        return False
    return True


def feature_list() -> list[Feature]:
    """All abilities that MXNet asks for and whether they are here.

    >>> any(f.name == "CUDA" for f in mx.runtime.feature_list())
    True
    """
    found = {
        "CUDA": num_gpus() > 0,
        "CUDNN": False,
        "NATIVE": native is not None,
        "BLAS_OPEN": _has_blas(),
        "MKLDNN": False,
        "OPENCV": False,
        "INT64_TENSOR_SIZE": True,
        "SIGNAL_HANDLER": False,
    }
    return [Feature(name, enabled) for name, enabled in found.items()]


class Features(OrderedDict):
    """The abilities by name.

    >>> mx.runtime.Features().is_enabled("INT64_TENSOR_SIZE")
    True
    """

    def __init__(self) -> None:
        super().__init__((f.name, f) for f in feature_list())

    def is_enabled(self, feature_name: str) -> bool:
        """Whether the build has a feature; RuntimeError if there is none of that name."""
        name = feature_name.upper()
        if name not in self:
            raise RuntimeError(f"Feature {feature_name!r} is unknown, known are: {list(self)}")
        return self[name].enabled


def describe() -> str:
    """One line on the engine: native or not, instruction set, threads.

    >>> mx.runtime.describe().startswith("engine:")
    True
    """
    if native is None:
        return "engine: reference bodies in NumPy (the native extension is absent)"
    isa, threads = native.isa(), native.num_threads()
    return f"engine: native, {isa} on {platform.machine()}, {threads} threads"
