"""cuBLAS itself, for products that are captured: CuPy's own calls refuse a captured stream."""

from __future__ import annotations

import ctypes
import sys
from functools import cache
from typing import Any

import numpy as np

from ..backend.capturing import kept_until_captured
from ..base import MXNetError

_WORKSPACE = 32 << 20  # bytes, what NVIDIA recommends from Hopper on
_INT, _LONG, _POINTER = ctypes.c_int, ctypes.c_longlong, ctypes.c_void_p
_SIDE = (_POINTER, _INT, _INT, _LONG)  # address, type, leading dimension, step
_GEMM = (_POINTER, _INT, _INT, _INT, _INT, _INT, _POINTER, *_SIDE, *_SIDE, _POINTER, *_SIDE,
         _INT, _INT, _INT)  # fmt: skip


@cache
def library(major: int) -> Any:
    """The cuBLAS that CuPy has loaded, by the major version of its CUDA; None if not found."""
    name = f"cublas64_{major}.dll" if sys.platform == "win32" else f"libcublas.so.{major}"
    try:
        found = ctypes.CDLL(name)
        found.cublasGemmStridedBatchedEx.argtypes = _GEMM
        found.cublasSetStream_v2.argtypes = (_POINTER, _POINTER)
        found.cublasSetWorkspace_v2.argtypes = (_POINTER, _POINTER, ctypes.c_size_t)
    except (OSError, AttributeError):
        return None
    return found


def gemm(xp: Any, *args: Any) -> None:
    """``cublasGemmStridedBatchedEx`` on the current stream; `args` are all but its handle.

    While the stream is captured its workspace comes from the graph's memory.
    """
    handle, stream = xp.cuda.device.get_cublas_handle(), xp.cuda.get_current_stream().ptr
    own = library(xp.cuda.runtime.runtimeGetVersion() // 1000)
    if own is None:
        xp.cuda.cublas.setStream(handle, stream)
        xp.cuda.cublas.gemmStridedBatchedEx(handle, *args)
        return
    _check(own.cublasSetStream_v2(handle, stream), "SetStream")
    workspace = kept_until_captured("cublas", lambda: xp.empty(_WORKSPACE, np.uint8))
    if workspace is not None:
        _check(own.cublasSetWorkspace_v2(handle, workspace.data.ptr, _WORKSPACE), "SetWorkspace")
    _check(own.cublasGemmStridedBatchedEx(handle, *args), "GemmStridedBatchedEx")


def _check(status: int, name: str) -> None:
    if status:
        raise MXNetError(f"cublas{name} fails with status {status}")
