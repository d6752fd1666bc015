"""What this build can do (``mxnet.runtime``)."""

from __future__ import annotations

import platform
from collections import OrderedDict
from typing import NamedTuple

from .base import MXNetError
from .context import num_gpus
from .native import native

__all__ = ["Feature", "Features", "describe", "feature_list"]


class Feature(NamedTuple):
    """One ability of the build: `name` and whether it is `enabled`."""

    name: str
    enabled: bool

    def __repr__(self) -> str:
        return f"{'✔' if self.enabled else '✖'} {self.name}"


# fmt: off
_NAMES = (  # what MXNet reports, in its order
    "CUDA", "CUDNN", "NCCL", "CUDA_RTC", "TENSORRT", "CPU_SSE", "CPU_SSE2", "CPU_SSE3",
    "CPU_SSE4_1", "CPU_SSE4_2", "CPU_SSE4A", "CPU_AVX", "CPU_AVX2", "OPENMP", "SSE", "F16C",
    "JEMALLOC", "BLAS_OPEN", "BLAS_ATLAS", "BLAS_MKL", "BLAS_APPLE", "LAPACK", "MKLDNN", "OPENCV",
    "CAFFE", "PROFILER", "DIST_KVSTORE", "CXX14", "INT64_TENSOR_SIZE", "SIGNAL_HANDLER", "DEBUG",
    "TVM_OP",
)
# fmt: on
# What each instruction set that the kernels were compiled for includes of MXNet's list.
_ISA = {
    "v3": (
        "CPU_SSE",
        "CPU_SSE2",
        "CPU_SSE3",
        "CPU_SSE4_1",
        "CPU_SSE4_2",
        "CPU_AVX",
        "CPU_AVX2",
        "F16C",
    ),
    "baseline": ("CPU_SSE", "CPU_SSE2"),
}  # fmt: skip


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
    enabled = {"LAPACK", "INT64_TENSOR_SIZE"}
    enabled |= {"CUDA"} if num_gpus() > 0 else set()
    if native is not None:
        enabled |= {"NATIVE"}
        if platform.machine() in ("x86_64", "AMD64"):
            enabled |= set(_ISA.get(native.isa(), _ISA["v3"]))
    enabled |= {"BLAS_OPEN"} if _has_blas() else set()
    return [Feature(name, name in enabled) for name in (*_NAMES, "NATIVE")]


class Features(OrderedDict):
    """The abilities by name; one object, `instance`, since a build does not change.

    >>> mx.runtime.Features().is_enabled("INT64_TENSOR_SIZE")
    True
    """

    instance: Features | None = None

    def __new__(cls) -> Features:
        """The one object."""
        if cls.instance is None:
            cls.instance = super().__new__(cls)
            OrderedDict.__init__(cls.instance, ((f.name, f) for f in feature_list()))
        return cls.instance

    def __init__(self) -> None:
        pass  # filled once, by `__new__`

    def __repr__(self) -> str:
        return str([*self.values()])

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
