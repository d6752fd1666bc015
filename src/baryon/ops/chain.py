"""Chains of pointwise operators as one: an expression program, which is data.

A program lists steps; each applies a pointwise operator to values by number: first the inputs, then
what each step gave. The fuse pass draws chains; kernels run them block by block, so that what
passes between the steps stays in the cache.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from functools import lru_cache
from math import prod
from typing import Any, NamedTuple

import numpy as np

from ..base import MXNetError
from ..dtypes import dtype_code, is_float
from ..native import native
from .attrs import Attrs
from .binary import broadcast_add, broadcast_div, broadcast_mul, broadcast_sub
from .functions import exp
from .op import Op, Spec, get, op
from .reduce import mean
from .rules import broadcast_shapes
from .samples import integers, normal
from .scalar import power_scalar
from .unary import negative, square

_FLAT = 1024  # elements of a block, for questions to which any number is as good


class Step(NamedTuple):
    """One operator of a chain and the numbers of the values that it reads."""

    op: Op
    attrs: Attrs
    reads: tuple[int, ...]

    @property
    def reduces(self) -> bool:
        """Whether it is a reduction of the last axes, which ends a chain."""
        return not self.op.is_pointwise(self.attrs)


class Chain(NamedTuple):
    """Steps over `count` inputs, and the numbers of the values that are results."""

    count: int
    steps: tuple[Step, ...]
    outputs: tuple[int, ...]


def written(chain: Chain) -> str:
    """A chain's program as text."""
    steps = [[s.op.name, s.op.describe(s.attrs), list(s.reads)] for s in chain.steps]
    return json.dumps([chain.count, steps, list(chain.outputs)])


@lru_cache(maxsize=4096)
def read(program: str) -> Chain:
    """The chain of a program; MXNetError if it is none."""
    try:
        count, steps, outputs = json.loads(program)
        found = tuple(_step(count + i, *step) for i, step in enumerate(steps))
        values = range(count + len(found))
        if not found or not outputs or any(values.index(i) < count for i in outputs):
            raise ValueError("a chain gives what its steps computed")
        ends = {count + i for i, step in enumerate(found) if step.reduces}
        if not ends <= set(outputs) or any(ends.intersection(step.reads) for step in found):
            raise ValueError("reductions end a chain")
        return Chain(count, found, tuple(outputs))
    except (ValueError, TypeError, KeyError, RecursionError) as error:
        raise MXNetError(f"program is none of a chain: {error}") from None


def _step(known: int, name: str, attrs: dict[str, str], reads: list[int]) -> Step:
    op = get(name)
    parsed = op.attributes(attrs)
    if not op.is_pointwise(parsed) and op.fusion.reduces is None:
        raise ValueError(f"{name} is neither pointwise nor a reduction")
    return Step(op, parsed, tuple(range(known)[range(known).index(i)] for i in reads))


def value_dtypes(chain: Chain, ins: Sequence[Any]) -> list[np.dtype]:
    """Dtypes of all values, from those of the inputs."""
    dtypes = list(ins)
    for step in chain.steps:
        _, (found,) = step.op.infer_dtypes(step.attrs, [dtypes[i] for i in step.reads], [None])
        dtypes.append(found)
    return dtypes


def _shapes(attrs: Attrs, ins: list, outs: list) -> tuple[list, list]:
    if any(s is None for s in ins):
        return ins, outs
    whole, chain = broadcast_shapes(*ins), read(attrs.program)
    steps = (chain.steps[k - chain.count] for k in chain.outputs)
    return ins, [_step_shape(step, whole) for step in steps]


def _step_shape(step: Step, whole: tuple[int, ...]) -> tuple[int, ...]:
    if not step.reduces:
        return whole
    row_of(step, whole)
    return step.op.infer_shapes(step.attrs, [whole], [None])[1][0]


def row_of(step: Step, whole: tuple[int, ...]) -> int:
    """Elements that a reduction takes together; MXNetError unless they fill the last axes."""
    axes = sorted(step.op.fusion.reduces(step.attrs, len(whole)))
    if axes != list(range(len(whole) - len(axes), len(whole))):
        raise MXNetError(f"{step.op.name} of axes {axes} does not reduce rows")
    return prod(whole[len(whole) - len(axes) :])


def _dtypes(attrs: Attrs, ins: list, outs: list) -> tuple[list, list]:
    if any(d is None for d in ins):
        return ins, outs
    chain = read(attrs.program)
    dtypes = value_dtypes(chain, ins)
    return ins, [dtypes[i] for i in chain.outputs]


# ---- for the kernel ----------------------------------------------------------------------------


def _numbers(attrs: Attrs, ins: Sequence[Spec], outs: Sequence[Spec]) -> tuple | None:
    """A program as the kernel reads it (``csrc/kernels/chain.cpp``)."""
    chain = read(attrs.program)
    dtypes = value_dtypes(chain, [s.dtype for s in ins])
    places, room = _places(chain, dtypes)
    whole = broadcast_shapes(*(s.shape for s in ins))
    rows = {row_of(step, whole) for step in chain.steps if step.reduces} or {0}
    if len(rows) > 1:
        return None
    numbers = [*rows, len(room), *map(dtype_code, room), len(chain.steps)]
    for i, step in enumerate(chain.steps):
        kernel = step_kernel(
            step.op, step.attrs, tuple(dtypes[k] for k in step.reads), dtypes[chain.count + i]
        )
        if kernel is None:
            return None
        number, own = kernel
        reads = [places[k] for k in step.reads]
        numbers += [number, step.reduces, len(reads), *reads, places[chain.count + i]]
        numbers += [len(own), *own]
    return tuple(numbers)


@lru_cache(maxsize=4096)
def step_kernel(
    op: Op, attrs: Attrs, ins: tuple[np.dtype, ...], out: np.dtype
) -> tuple[int, tuple] | None:
    """Number and parameters of the kernel that runs an operator on blocks, if there is one."""
    if native is None or op.kernel is None:
        return None
    ins_shape = out_shape = (_FLAT,)
    if not op.is_pointwise(attrs):
        ins_shape, raw = (2, _FLAT), {"axis": (1,), "keepdims": False, "exclude": False}
        out_shape, attrs = (2,), Attrs({**attrs, **{k: raw[k] for k in raw if k in attrs}})
    shapes = [*(ins_shape for _ in ins), out_shape]
    specs = [Spec(s, d) for s, d in zip(shapes, (*ins, out), strict=True)]
    own = op.kernel_params(attrs, specs[:-1], specs[-1:])
    number = native.kernel_number(op.kernel)
    if own is None or number < 0:
        return None
    described = [(s.shape, dtype_code(s.dtype)) for s in specs]
    accepted = native.accepts(op.kernel, described[:-1], described[-1:], own)
    return (number, tuple(own)) if accepted else None


def printable(op: Op, attrs: Attrs, ins: tuple[np.dtype, ...], out: np.dtype) -> bool:
    """Whether a step can be part of a printed CUDA kernel: it has an expression, for floats."""
    floats = all(map(is_float, (*ins, out)))
    return floats and op.is_pointwise(attrs) and expression(op, attrs) is not None


def expression(op: Op, attrs: Attrs) -> str | None:
    """What an operator declares as `element` for these attributes."""
    return op.element(attrs) if callable(op.element) else op.element


def _places(chain: Chain, dtypes: Sequence[np.dtype]) -> tuple[list[int], list[np.dtype]]:
    """Where each value is: an input, an output, or room in a block that is used again and again.

    Returns places as the kernel counts them, and the dtypes of the rooms.
    """
    last = {k: i for i, step in enumerate(chain.steps) for k in step.reads}
    fixed = {k: chain.count + i for i, k in enumerate(chain.outputs)}
    first = chain.count + len(chain.outputs)
    places, room = list(range(chain.count)), []
    free: list[int] = []
    for i, step in enumerate(chain.steps):
        free += [places[k] for k in set(step.reads) if last[k] == i and places[k] >= first]
        value = chain.count + i
        if value in fixed:
            places.append(fixed[value])
            continue
        place = next((p for p in free if room[p - first] == dtypes[value]), None)
        if place is None:
            place = first + len(room)
            room.append(dtypes[value])
        else:
            free.remove(place)
        places.append(place)
    return places, room


# ---- the operator ------------------------------------------------------------------------------


@op(
    "_fused_chain",
    shape=_shapes,
    dtype=_dtypes,
    outputs=lambda a: tuple(f"output{i}" for i in range(len(read(a.program).outputs))),
    variadic="num_args",
    inplace=lambda i: f"arg{i}",
    pointwise=True,
    kernel=True,
    params=_numbers,
    derived=True,
)
def chain(xp: Any, *data: Any, program: str, num_args: int) -> Any:
    """What the steps of `program` compute from `num_args` tensors, which broadcast."""
    found, shape = read(program), broadcast_shapes(*(x.shape for x in data))
    values = list(data)
    dtypes = value_dtypes(found, [np.dtype(x.dtype) for x in data])
    for step in found.steps:
        reads = [values[i] for i in step.reads]
        if step.reduces:
            reads = [xp.broadcast_to(x, shape) for x in reads]
        (value,) = step.op.run(xp, step.attrs, reads)
        value = xp.asarray(value).astype(dtypes[len(values)], copy=False)
        values.append(value)
    ends = {found.count + i for i, step in enumerate(found.steps) if step.reduces}
    return tuple(
        v if i in ends else xp.broadcast_to(v, shape)
        for i, v in ((i, values[i]) for i in found.outputs)
    )


def _sample(steps: Sequence[tuple], outputs: tuple[int, ...], **more: Any) -> None:
    """Steps are (operator, attributes, reads)."""
    made = tuple(Step(op, op.attributes(raw), reads) for op, raw, reads in steps)
    chain.sample(program=written(Chain(len(more["data"]), made, outputs)), **more)


_sample(
    [(broadcast_sub, {}, (0, 1)), (square, {}, (2,)), (power_scalar, {"scalar": 2.0}, (3,))],
    (2, 4),
    data=[normal(3, 5), normal(3, 1)],
    _dtypes=("float32", "float64", "float16", "bfloat16"),
)
_sample(
    [(broadcast_mul, {}, (0, 1)), (exp, {}, (3,)), (broadcast_add, {}, (4, 2))],
    (5,),
    data=[normal(2, 3, 4), normal(4), normal(3, 1)],
)
_sample(
    [(broadcast_mul, {}, (0, 1)), (broadcast_div, {}, (2, 1)), (negative, {}, (3,))],
    (4,),
    data=[integers(7), integers(7)],
    _dtypes=("int32", "int64", "int8"),
)
_sample(
    [(broadcast_sub, {}, (0, 1)), (square, {}, (2,)), (mean, {"axis": (1, 2)}, (3,))],
    (2, 4),
    data=[normal(6, 3, 5), normal(6, 1, 1)],
    _dtypes=("float32", "float64", "float16"),
)
