"""cuDNN's front end for the stand-in: graphs of the operations that are used, computed by NumPy.

Tensors are read and written at addresses by dimensions and strides, as cuDNN does it.
"""

from __future__ import annotations

import ctypes
import math
from collections.abc import Callable
from functools import partial
from types import ModuleType, SimpleNamespace
from typing import Any

import ml_dtypes
import numpy as np

from baryon.ops import convolution
from baryon.ops.activation import gelu
from baryon.ops.philox import Philox
from baryon.ops.windows import window

from .calls import call, counts

TYPES = {
    "HALF": np.float16,
    "BFLOAT16": ml_dtypes.bfloat16,
    "FLOAT": np.float32,
    "DOUBLE": np.float64,
    "INT64": np.int64,
    "NOT_SET": None,
}


class cudnnGraphNotSupportedError(RuntimeError):
    """What a graph that no engine computes raises."""


class Tensor:
    """A tensor of a graph: given, or computed by an operation on others."""

    def __init__(self, dim: Any = (), stride: Any = (), data_type: Any = None,
                 compute: Callable | None = None, inputs: tuple = ()) -> None:  # fmt: skip
        self.dim, self.stride, self.data_type = list(dim), list(stride), data_type
        self.compute, self.inputs, self.is_output = compute, inputs, False

    def set_output(self, value: bool) -> Tensor:
        self.is_output = value
        return self

    def set_data_type(self, value: Any) -> Tensor:
        self.data_type = value
        return self

    def set_dim(self, value: Any) -> Tensor:
        self.dim = list(value)
        return self

    def set_stride(self, value: Any) -> Tensor:
        self.stride = list(value)
        return self

    def get_dim(self) -> list[int]:
        return self.dim

    def get_stride(self) -> list[int]:
        return self.stride

    def get_data_type(self) -> Any:
        return self.data_type

    def array(self, address: int) -> np.ndarray:
        """The memory of the tensor at an address."""
        dtype = np.dtype(self.data_type)
        span = 1 + sum((n - 1) * s for n, s in zip(self.dim, self.stride, strict=True))
        flat = np.frombuffer((ctypes.c_char * (span * dtype.itemsize)).from_address(address), dtype)
        strides = [s * dtype.itemsize for s in self.stride]
        return np.lib.stride_tricks.as_strided(flat, self.dim, strides)


def _sliding(pre_padding: Any, post_padding: Any, stride: Any, dilation: Any, kernel: Any) -> Any:
    assert pre_padding == post_padding and len(pre_padding) == len(kernel)
    return window(tuple(kernel), stride, dilation, pre_padding)


def _kept(shape: tuple, p: float, rest: tuple) -> Any:
    """What weights are multiplied with: `rest` ends in seed and offset where p is not 0."""
    if not p:
        return 1.0
    rng = Philox(np, *(int(x.ravel()[0]) for x in rest[-2:]))
    return (rng.uniform(shape) >= p) / (1 - p)


class pygraph:
    """Operations drawn one after another."""

    def __init__(self, name: str = "", io_data_type: Any = None, intermediate_data_type: Any = None,
                 compute_data_type: Any = None, handle: Any = None) -> None:  # fmt: skip
        assert handle is not None
        self.given: list[Tensor] = []
        self.steps: list[str] = []

    def tensor(self, dim: Any, stride: Any, data_type: Any, name: str = "") -> Tensor:
        assert len(dim) == len(stride)
        self.given.append(Tensor(dim, stride, data_type))
        return self.given[-1]

    def _made(self, name: str, compute: Callable, *inputs: Tensor) -> Tensor:
        self.steps.append(name)
        return Tensor(compute=compute, inputs=inputs)

    def conv_fprop(self, image: Tensor, weight: Tensor, **sliding: Any) -> Tensor:
        win, groups = _sliding(**sliding, kernel=weight.dim[2:]), image.dim[1] // weight.dim[1]
        return self._made(
            "conv_fprop", lambda x, w: convolution.correlate(np, x, w, win, groups), image, weight
        )

    def conv_dgrad(self, loss: Tensor, filter: Tensor, **sliding: Any) -> Tensor:
        win = _sliding(**sliding, kernel=filter.dim[2:])

        def compute(dy: Any, w: Any) -> Any:
            return convolution.spread(np, dy, w, win, made.dim[1] // w.shape[1], tuple(made.dim))

        made = self._made("conv_dgrad", compute, loss, filter)
        return made

    def conv_wgrad(self, image: Tensor, loss: Tensor, **sliding: Any) -> Tensor:
        def compute(x: Any, dy: Any) -> Any:
            win = _sliding(**sliding, kernel=made.dim[2:])
            return convolution.gathered(np, dy, x, win, x.shape[1] // made.dim[1])

        made = self._made("conv_wgrad", compute, image, loss)
        return made

    def _many(self, name: str, count: int, compute: Callable, *inputs: Tensor) -> list[Tensor]:
        """The outputs of an operation that has several."""
        each = [lambda *given, i=i: compute(*given)[i] for i in range(count)]
        return [self._made(name, one, *inputs) for one in each]

    def sdpa(self, q: Tensor, k: Tensor, v: Tensor, generate_stats: bool, attn_scale: float,
             bias: Tensor | None = None, dropout: tuple | None = None) -> list:  # fmt: skip
        p, *words = dropout or (0.0,)
        extra = ([] if bias is None else [bias]) + words

        def compute(q: Any, k: Any, v: Any, *rest: Any) -> tuple:
            scores = q @ k.swapaxes(-1, -2) * attn_scale
            scores = scores if bias is None else scores + rest[0]
            stats = np.log(np.exp(scores).sum(-1, keepdims=True))
            return (np.exp(scores - stats) * _kept(scores.shape, p, rest)) @ v, stats

        made = self._many("sdpa", 2, compute, q, k, v, *extra)
        return made if generate_stats else [made[0], None]

    def sdpa_backward(
        self,
        q: Tensor,
        k: Tensor,
        v: Tensor,
        o: Tensor,
        dO: Tensor,  # noqa: N803
        stats: Tensor,
        attn_scale: float,
        dropout: tuple | None = None,
    ) -> list:
        # fmt: skip
        p, *words = dropout or (0.0,)

        def compute(q: Any, k: Any, v: Any, o: Any, dy: Any, stats: Any, *rest: Any) -> tuple:
            weights = np.exp(q @ k.swapaxes(-1, -2) * attn_scale - stats)
            kept = _kept(weights.shape, p, rest)
            d_weights = dy @ v.swapaxes(-1, -2) * kept - (dy * o).sum(-1, keepdims=True)
            d_scores = weights * d_weights * attn_scale
            d_values = (weights * kept).swapaxes(-1, -2) @ dy
            return d_scores @ k, d_scores.swapaxes(-1, -2) @ q, d_values

        return self._many("sdpa_backward", 3, compute, q, k, v, o, dO, stats, *words)

    def matmul(self, A: Tensor, B: Tensor) -> Tensor:  # noqa: N803
        return self._made("matmul", lambda x, y: x @ y, A, B)

    def gelu(self, input: Tensor) -> Tensor:
        return self._made("gelu", partial(gelu, np), input)

    def mul(self, a: Tensor, b: Tensor) -> Tensor:
        return self._made("mul", lambda x, y: x * y, a, b)

    def add(self, a: Tensor, b: Tensor) -> Tensor:
        return self._made("add", lambda x, y: x + y, a, b)

    def relu(self, input: Tensor, lower_clip: float = 0.0, upper_clip: float = math.inf) -> Tensor:
        return self._made("relu", lambda x: np.clip(x, lower_clip, upper_clip), input)

    def validate(self) -> None:
        assert all(None not in t.dim for t in self.given)

    def build_operation_graph(self) -> None:
        pass

    def create_execution_plans(self, modes: list) -> None:
        assert modes

    def check_support(self) -> None:
        if "unsupported" in self.steps:
            raise cudnnGraphNotSupportedError

    def build_plans(self) -> None:
        counts["plans"] += 1

    def get_workspace_size(self) -> int:
        return 16

    def execute(self, places: dict[Tensor, int], workspace: int, handle: Any = None) -> None:
        assert workspace and handle is not None

        def value(t: Tensor) -> np.ndarray:
            if t.compute is None:
                x = t.array(places[t])
                return x.astype(np.float32) if x.dtype.itemsize == 2 else x
            return t.compute(*map(value, t.inputs))

        def run() -> None:
            for t, address in places.items():
                if t.is_output:
                    t.array(address)[...] = value(t)

        call(run, inplace=True)


def module() -> ModuleType:
    """``cudnn``."""
    made = ModuleType("cudnn")
    made.pygraph, made.data_type = pygraph, SimpleNamespace(**TYPES)
    made.cudnnGraphNotSupportedError = cudnnGraphNotSupportedError
    made.heur_mode = SimpleNamespace(A="A", B="B", FALLBACK="FALLBACK")
    made.create_handle, made.set_stream = object, lambda handle, stream: None
    return made
