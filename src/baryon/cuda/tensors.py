"""Many tensors in one launch: what the kernels of ``update.cu`` take by value."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import cache
from typing import Any, NamedTuple

import numpy as np

from .launch import kernel_of, launch
from .rows import wide

RULES = (
    *("sgd", "momentum", "nesterov", "sign", "signum"),
    *("adam", "adamw", "rmsprop", "adagrad", "lamb"),
    *("ftrl", "ftml", "centred"),
)
MOST = 40  # tensors a launch: as many as the 4 KiB of parameters hold that all drivers take
VALUES = 480  # numbers a launch, for the same reason
CHUNK = 4096  # elements a block
_THREADS = 256
_ARRAYS = ("weight", "grad", "out", "first", "second", "third", "master")


class Tensor(NamedTuple):
    """The arrays of one weight, all in C order, and its numbers."""

    weight: Any
    grad: Any = None
    out: Any = None
    first: Any = None  # states
    second: Any = None
    third: Any = None
    master: Any = None  # the weight in full precision
    rate: float = 0.0
    decay: float = 0.0
    factor: float = 0.0


@cache
def _packed(real: Any) -> np.dtype:
    fields = [(name, np.uint64, MOST) for name in _ARRAYS]
    fields += [("size", np.int64, MOST)]
    fields += [(name, real, MOST) for name in ("rate", "decay", "factor")]
    return np.dtype([*fields, ("block", np.int32, MOST + 1)], align=True)


@cache
def _numbers(real: Any) -> np.dtype:
    names = ("rescale", "limit", "momentum", "beta1", "beta2", "epsilon", "bound")
    return np.dtype([*((name, real) for name in names), ("rule", np.int32)], align=True)


def settings(dtype: Any, state: Any) -> dict[str, Any]:
    """Of the source, for weights and states of these types."""
    types = {"T": np.dtype(dtype), "S": np.dtype(state)}
    return types | {"MOST": MOST, "VALUES": VALUES, "CHUNK": CHUNK}


class Group:
    """Tensors of one launch. `offset`: their place among all, `blocks`: how many blocks they take.

    Python's ints become 32-bit numbers, floats the type that the kernels compute in.
    """

    def __init__(self, xp: Any, tensors: Sequence[Tensor], offset: int) -> None:
        self.xp, self.tensors, self.offset = xp, tensors, offset
        dtype = tensors[0].weight.dtype
        state = next((t.first for t in tensors if t.first is not None), tensors[0].master)
        self.real = wide(dtype)
        self.settings = settings(dtype, self.real if state is None else state.dtype)
        self.packed = np.zeros(1, _packed(self.real))
        sizes = [t.weight.size for t in tensors]
        ends = np.cumsum([-(-n // CHUNK) for n in sizes])
        self.blocks = int(ends[-1])
        one = self.packed[0]
        one["block"][1:] = self.blocks
        one["block"][1 : len(ends) + 1] = ends
        one["size"][: len(sizes)] = sizes
        for name in _ARRAYS:
            one[name][: len(sizes)] = [0 if x is None else x.data.ptr for x in self._all(name)]
        for name in ("rate", "decay", "factor"):
            one[name][: len(sizes)] = self._all(name)

    def _all(self, name: str) -> list:
        return [getattr(t, name) for t in self.tensors]

    def numbers(self, rule: str, given: dict[str, float]) -> np.ndarray:
        """``Numbers`` of the source: what is missing does nothing."""
        made = np.zeros(1, _numbers(self.real))
        made["rule"] = RULES.index(rule)
        for name, value in ({"rescale": 1.0, "limit": -1.0, "bound": -1.0} | given).items():
            made[name] = value
        return made

    def run(self, name: str, *args: Any, blocks: int | None = None) -> None:
        """Launch a kernel over the tensors, or over `blocks` blocks of its own."""
        kinds = {int: np.int32, float: self.real}
        args = tuple(kinds[type(a)](a) if type(a) in kinds else a for a in args)
        kernel = kernel_of(self.xp, "update", name, **self.settings)
        launch(kernel, blocks or self.blocks, _THREADS, self.packed, *args)


def groups(xp: Any, tensors: Sequence[Tensor]) -> Iterator[Group]:
    """Tensors in launches: neighbours of one weight type, empty ones left out."""
    start, pending = 0, []
    for i, t in enumerate(tensors):
        other = pending and pending[0].weight.dtype != t.weight.dtype
        if pending and (other or not t.weight.size or len(pending) == MOST):
            yield Group(xp, pending, start)
            pending = []
        if t.weight.size:
            start = start if pending else i
            pending.append(t)
    if pending:
        yield Group(xp, pending, start)


def in_order(*arrays: Any) -> bool:
    """Whether all arrays (None: absent) are in C order."""
    return all(a is None or a.flags.c_contiguous for a in arrays)
