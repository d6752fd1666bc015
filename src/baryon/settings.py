"""Settings from the environment, all in one table.

Those marked "engine" are read by the native code when it is loaded, those marked "build" by
``setup.py``; the others by `get`, when they are needed.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any, NamedTuple

__all__ = ["SETTINGS", "Setting", "flag", "get"]


class Setting(NamedTuple):
    """One environment variable: how its text is read, what it is when unset, who reads it."""

    parse: Callable[[str], Any]
    default: Any
    reader: str
    doc: str


def flag(text: str) -> bool:
    """Whether a text means yes: anything but empty, ``0``, ``false``, ``no`` and ``off``."""
    return text.strip().lower() not in ("", "0", "false", "no", "off")


SETTINGS: dict[str, Setting] = {
    "BARYON_NO_NATIVE": Setting(
        flag, False, "package and build", "Compute without the native engine, or build none."
    ),
    "BARYON_NUM_THREADS": Setting(
        int,
        None,
        "engine",
        "Threads of one operator. Then MXNET_CPU_WORKER_NTHREADS and OMP_NUM_THREADS are asked, "
        "then the processors that affinity and control groups allow.",
    ),
    "MXNET_CPU_WORKER_NTHREADS": Setting(int, None, "engine", "As BARYON_NUM_THREADS."),
    "OMP_NUM_THREADS": Setting(int, None, "engine", "As BARYON_NUM_THREADS."),
    "BARYON_CACHE_BYTES": Setting(
        int,
        None,
        "engine",
        "Most bytes of released memory kept for reuse; 0 keeps none. Default: a quarter of the "
        "memory.",
    ),
    "BARYON_ISA": Setting(
        str,
        None,
        "engine",
        "The best instruction set whose kernels may run: baseline, v3 (AVX2) or v4 (AVX-512); "
        "naming one also keeps products from the matrix unit (AMX).",
    ),
    "BARYON_LAYOUT": Setting(
        flag, True, "package", "Whether networks work on channel-blocked images."
    ),
    "BARYON_CUDA_GRAPHS": Setting(
        flag, True, "package", "Whether compiled networks are replayed as CUDA graphs on a GPU."
    ),
    "BARYON_FUSE": Setting(
        flag, True, "package", "Whether compiled networks compute operators together."
    ),
    "BARYON_RECOMPUTE": Setting(
        flag,
        True,
        "package",
        "Whether compiled backward passes compute results of batch norms and of operators that "
        "work element by element again where what these were computed from is kept anyway.",
    ),
    "BARYON_SLICE_BATCH": Setting(
        flag,
        True,
        "package",
        "Whether compiled networks of inference run their first layers on some samples at a time, "
        "where that saves much memory.",
    ),
    "BARYON_WINOGRAD": Setting(
        flag,
        True,
        "package",
        "Whether compiled networks compute convolutions of 3 x 3 windows by minimal filtering "
        "where that is faster; rounding errors are then about twice as large.",
    ),
    "BARYON_KEEP_WEIGHTS": Setting(
        flag,
        True,
        "package",
        "Whether compiled networks keep packed and transformed weights between calls of inference; "
        "this takes one to four times the memory of the weights of their convolutions (less in "
        "large batches) and dense layers.",
    ),
    "BARYON_CUDNN": Setting(
        flag, True, "package", "Whether GPUs use cuDNN where its Python front end is installed."
    ),
    "MXNET_HOME": Setting(
        str, "~/.mxnet", "package", "Where data sets and pretrained models are kept."
    ),
    "MXNET_GLUON_REPO": Setting(
        str, None, "package", "Where published data sets and models lie, in the place of MXNet's."
    ),
    "MXNET_UPDATE_ON_KVSTORE": Setting(
        flag, True, "package", "Whether modules let a kvstore run the optimizer where it can."
    ),
    "MXNET_BACKWARD_DO_MIRROR": Setting(
        flag,
        False,
        "package",
        "Whether a compiled backward pass computes cheap forward values again in place of keeping "
        "them.",
    ),
    "BARYON_SANITIZE": Setting(
        str, None, "build", "Sanitizers to build with, e.g. address,undefined."
    ),
    "BARYON_BUILD_JOBS": Setting(
        int, None, "build", "Compilations at a time. Default: every processor allowed."
    ),
}


def get(name: str) -> Any:
    """The value of a setting; ValueError that names it when its text cannot be read.

    >>> mx.settings.get("BARYON_CACHE_BYTES") is None
    True
    """
    setting = SETTINGS[name]
    text = os.environ.get(name)
    if text is None:
        return setting.default
    try:
        return setting.parse(text)
    except ValueError:
        kind = setting.parse.__name__
        raise ValueError(f"environment variable {name}: expected {kind}, got {text!r}") from None
