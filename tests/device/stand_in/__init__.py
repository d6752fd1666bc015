"""A stand-in for CuPy 14 backed by NumPy, for machines without a GPU.

It offers the names, parameters and element types that the real one has (``cupy_facts.json``), and
refuses what the real one refuses: conversions to NumPy that nobody asked for, operands in host
memory, arrays of a device that is not current, and work that waits while a graph is captured.
Where the real one is lenient at a cost (indices in host memory) the stand-in refuses, too.

`install` puts it in the place of the module ``cupy``; `remove` takes it away.
"""

from __future__ import annotations

import sys
from types import ModuleType

from . import cuda, nccl, special
from .array import ndarray
from .calls import counts
from .functions import FACTS, namespace

__all__ = ["counts", "cupy", "install", "remove"]


def _module(name: str, members: dict) -> ModuleType:
    made = ModuleType(name)
    made.__dict__.update(members)
    return made


cupy = _module("cupy", namespace("cupy"))
cupy.__version__ = FACTS["version"]
cupy.ndarray = ndarray
cupy.linalg = _module("cupy.linalg", namespace("cupy.linalg"))
cupy.fft = _module("cupy.fft", namespace("cupy.fft"))
cupy.lib = _module("cupy.lib", {})
cupy.lib.stride_tricks = _module("cupy.lib.stride_tricks", namespace("cupy.lib.stride_tricks"))
cupy.cuda = cuda.module()
cupy.cuda.nccl = nccl.module()
for _name in ("RawKernel", "RawModule", "ElementwiseKernel", "ReductionKernel"):
    setattr(cupy, _name, getattr(cuda, _name))
cupy.get_default_memory_pool = cuda.get_default_memory_pool
cupy.get_default_pinned_memory_pool = cuda.get_default_pinned_memory_pool
cupyx = _module("cupyx", special.cupyx())
cupyx.scipy = _module("cupyx.scipy", {"__path__": []})
cupyx.scipy.special = _module("cupyx.scipy.special", special.functions())

MODULES = {m.__name__: m for m in (cupy, cupy.linalg, cupy.fft, cupy.lib, cupy.cuda)} | {
    "cupy.cuda.runtime": cupy.cuda.runtime,
    "cupy.cuda.nccl": cupy.cuda.nccl,
    "cupy.lib.stride_tricks": cupy.lib.stride_tricks,
    "cupyx": cupyx,
    "cupyx.scipy": cupyx.scipy,
    "cupyx.scipy.special": cupyx.scipy.special,
}
for _module_ in (cupy, cupy.lib, cupy.cuda, cupyx):
    _module_.__path__ = []


def install() -> None:
    """Make ``import cupy`` give the stand-in."""
    sys.modules.update(MODULES)


def remove() -> None:
    """Forget it, and the backend module that was made over it."""
    for name in MODULES:
        sys.modules.pop(name, None)
    sys.modules.pop("baryon.backend.cuda", None)
    vars(sys.modules["baryon.backend"]).pop("cuda", None)
