"""How an operator runs on a device: by its CUDA implementation where there is one, or its body."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import Any

import numpy as np

from ..base import MXNetError
from ..dtypes import bfloat16
from .philox import Philox


def device_body(op: Any) -> Callable[..., Any]:
    """What computes `op` on device arrays, called as its body is.

    Bodies compute bfloat16 as float32, and the caller rounds their results once: CuPy has no sums,
    products of matrices or scans of bfloat16.
    """
    from ..cuda import implementation

    if op.host:
        return _refused(op)
    found = implementation(op)

    def body(xp: Any, *arrays: Any, **attrs: Any) -> Any:
        return op.body(xp, *map(_widened, arrays), **attrs)

    def compute(xp: Any, *arrays: Any, **attrs: Any) -> Any:
        result = found(xp, *arrays, **attrs)
        return body(xp, *arrays, **attrs) if result is NotImplemented else result

    return body if found is None else compute


def generator(xp: Any, seed: int, stream: int, advance: Any = None) -> Philox:
    """The random numbers of one call, drawn where its arrays are."""
    if xp is np:
        return Philox(np, seed, stream)
    from ..cuda import Generator

    return Generator(xp, seed, stream, advance)


def _widened(x: Any) -> Any:
    return x.astype("float32") if x.dtype == bfloat16 else x


def _refused(op: Any) -> Callable[..., Any]:
    def refuse(xp: Any, *arrays: Any, **attrs: Any) -> Any:
        raise MXNetError("it runs on the CPU only; copy its inputs there with as_in_context")

    return refuse


def fixed(xp: Any, values: Any, dtype: Any = None) -> Any:
    """Numbers that follow from attributes and shapes, as an array to be read and not to be written.

    A GPU keeps it for the next call: no copy from the host, for which a call would wait and which
    no graph can capture. An array of the device is taken as it is.
    """
    cuda = getattr(xp, "cuda", None)
    if cuda is None or isinstance(values, xp.ndarray):
        return xp.asarray(values, dtype)
    host = np.asarray(values, dtype)
    return _kept(xp, cuda.runtime.getDevice(), host.tobytes(), host.shape, host.dtype)


@lru_cache(maxsize=4096)
def _kept(xp: Any, device_id: int, content: bytes, shape: tuple, dtype: np.dtype) -> Any:
    made = xp.asarray(np.frombuffer(content, dtype).reshape(shape))
    xp.cuda.get_current_stream().synchronize()  # the next call may come from another stream
    return made
