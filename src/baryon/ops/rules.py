"""Shared shape and dtype rules.

A rule is ``rule(attrs, ins, outs) -> (ins, outs)`` over lists of shapes (or dtypes). It completes
what it can, both ways, and leaves the rest. An unknown shape is ``None``, an unknown dimension
``-1``, an unknown dtype ``None``. Conflicts raise MXNetError; `Op` adds operator and arguments.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Any

import numpy as np

from ..base import MXNetError
from ..dtypes import as_dtype

ShapeLike = tuple[int, ...] | None
Rule = Callable[[Any, list, list], tuple[list, list]]


def known(shape: ShapeLike) -> bool:
    """Whether every dimension of a shape is known."""
    return shape is not None and -1 not in shape


def unify(a: ShapeLike, b: ShapeLike) -> ShapeLike:
    """The shape that both describe; MXNetError if there is none."""
    if a is None or b is None or a == b:
        return b if a is None else a
    if len(a) != len(b) or any(x != y and -1 not in (x, y) for x, y in zip(a, b, strict=True)):
        raise MXNetError(f"shapes {show(a)} and {show(b)} differ")
    return tuple(max(x, y) for x, y in zip(a, b, strict=True))


def show(shape: ShapeLike) -> str:
    """A shape for messages, ``?`` where it is unknown."""
    if shape is None:
        return "(?...)"
    return "(" + ",".join("?" if d == -1 else str(d) for d in shape) + ")"


def same(attrs: Any, ins: list, outs: list) -> tuple[list, list]:
    """All inputs and outputs have one shape."""
    shape = None
    for s in (*ins, *outs):
        shape = unify(shape, s)
    return [shape] * len(ins), [shape] * len(outs)


def broadcast_shapes(*shapes: tuple[int, ...]) -> tuple[int, ...]:
    """NumPy's broadcast of shapes; -1 is unknown and stays so unless another size decides it."""
    rank = max(map(len, shapes))
    result = []
    for dims in zip(*((1,) * (rank - len(s)) + tuple(s) for s in shapes), strict=True):
        sizes = {d for d in dims if d not in (1, -1)}
        if len(sizes) > 1:
            raise MXNetError("shapes " + ", ".join(map(show, shapes)) + " do not broadcast")
        result.append(sizes.pop() if sizes else -1 if -1 in dims else 1)
    return tuple(result)


def broadcast(attrs: Any, ins: list, outs: list) -> tuple[list, list]:
    """Inputs broadcast to the outputs' shape as in NumPy.

    An unknown dimension of an input is only filled from the output when every input is the same
    rank and the other input leaves no choice, as MXNet's two-way inference does not guess either.
    """
    if any(s is None for s in ins):
        return ins, outs
    shape = broadcast_shapes(*ins)
    return ins, [unify(shape, o) for o in outs]


def forward(shape_of: Callable[..., Any]) -> Rule:
    """A rule from ``shape_of(attrs, *input_shapes)``, which always gets known shapes.

    It returns the output's shape, or a list of shapes for several outputs.
    """

    def listed(attrs: Any, ins: Sequence, count: int) -> list:
        found = shape_of(attrs, *ins)
        return found if isinstance(found, list) else [found] * count

    def rule(attrs: Any, ins: list, outs: list) -> tuple[list, list]:
        if all(map(known, ins)):
            found = listed(attrs, ins, len(outs))
        elif None in ins:
            return ins, outs
        else:
            found = _whatever(lambda shapes: listed(attrs, shapes, len(outs)), ins, len(outs))
        outs = [unify(f and tuple(f), o) for f, o in zip(found, outs, strict=True)]
        return ins, outs

    return rule


_MANY = 720720  # a size that everything small divides


def _whatever(shapes_of: Callable[[list], list], ins: list, count: int) -> list:
    """The output dimensions that hold whatever sizes the unknown dimensions have.

    They are those that very small and very large sizes agree about; no shape where `shapes_of`
    refuses either.
    """
    few = [tuple(1 if d == -1 else d for d in s) for s in ins]
    many = [tuple(_MANY * (k + 1) if d == -1 else d for k, d in enumerate(s)) for s in ins]
    try:
        pairs = list(zip(shapes_of(few), shapes_of(many), strict=True))
    except MXNetError:
        return [None] * count
    return [
        tuple(x if x == y else -1 for x, y in zip(a, b, strict=True)) if len(a) == len(b) else None
        for a, b in pairs
    ]


# ---- dtypes ------------------------------------------------------------------------------------


def unify_dtypes(dtypes: Sequence[np.dtype | None]) -> np.dtype | None:
    """The one dtype among those known; MXNetError when they differ."""
    found = {d for d in dtypes if d is not None}
    if len(found) > 1:
        raise MXNetError("data types differ: " + ", ".join(sorted(str(d) for d in found)))
    return found.pop() if found else None


def uniform(attrs: Any, ins: list, outs: list) -> tuple[list, list]:
    """All inputs and outputs have one dtype (the default rule)."""
    dtype = unify_dtypes([*ins, *outs])
    return [dtype] * len(ins), [dtype] * len(outs)


def integral(attrs: Any, ins: list, outs: list) -> tuple[list, list]:
    """All inputs and outputs have one dtype, an integer type or bool."""
    ins, outs = uniform(attrs, ins, outs)
    for dtype in (*ins, *outs):
        if dtype is not None and np.dtype(dtype).kind not in "biu":
            raise MXNetError(f"data type {dtype} is not supported; cast to an integer type first")
    return ins, outs


def uniform_among(*indices: int, rest: Callable[[Any], Any] = lambda dtype: None) -> Rule:
    """The inputs at `indices` share one dtype with all outputs; the other inputs are free.

    Where such an input's dtype is unknown, it is ``rest(the shared dtype)``.
    """

    def rule(attrs: Any, ins: list, outs: list) -> tuple[list, list]:
        chosen = [ins[i] for i in indices if i < len(ins)]
        dtype = unify_dtypes([*chosen, *outs])
        ins = [dtype if i in indices else d or rest(dtype) for i, d in enumerate(ins)]
        return ins, [dtype] * len(outs)

    return rule


def output_dtype(choose: str | Callable[..., Any]) -> Rule:
    """Outputs have a fixed dtype (a name) or ``choose(attrs, *input_dtypes)``; inputs are free."""

    def rule(attrs: Any, ins: list, outs: list) -> tuple[list, list]:
        found = choose if isinstance(choose, str) else choose(attrs, *ins)
        if found is None:
            return ins, outs
        found = found if isinstance(found, list) else [found] * len(outs)
        return ins, [f if f is None else as_dtype(f) for f in found]

    return rule


def attr_dtype(name: str = "dtype", default: str | None = None) -> Rule:
    """Outputs have the dtype of an attribute; where that is None, `default` or the input's."""

    def choose(attrs: Any, *ins: Any) -> Any:
        return attrs[name] or default or (ins[0] if ins else "float32")

    return output_dtype(choose)


MOST_TENSORS = 1 << 16  # inputs or outputs of one operator: more is a damaged file or a slip


@lru_cache(maxsize=1024)
def numbered(count: int, stem: str = "output") -> tuple[str, ...]:
    """``output0``, ``output1``, …; MXNetError for a count that no call can have."""
    if not 0 <= count <= MOST_TENSORS:
        raise MXNetError(f"{count} {stem}s are not possible, at most {MOST_TENSORS} are")
    return tuple(f"{stem}{i}" for i in range(count))
