"""User-defined differentiable functions as operators made on the spot, outside the catalogue."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from copy import copy
from functools import lru_cache
from typing import Any

import numpy as np

from ..context import Context
from ..ops import rules
from ..ops.device import generator
from ..ops.op import Op, Spec
from .tape import Plan, TapeNode

# What the catalogue's decorator states of an operator that says nothing of itself.
PLAIN_FACTS: dict[str, Any] = {
    "aliases": (),
    "shape": rules.same,
    "dtype": rules.uniform,
    "complete": None,
    "outputs": ("output",),
    "visible": None,
    "counted": None,
    "present": {},
    "variadic": None,
    "aux": (),
    "mutates": (),
    "inplace": {},
    "view": False,
    "dynamic": False,
    "pointwise": False,
    "element": None,
    "kernel": False,
    "params": None,
    "init": {},
    "onnx": None,
    "flops": None,
    "idempotent": False,
    "converts": False,
    "upgrade": None,
    "storage": (),
    "stored_as": None,
}


def dynamic_op(name: str, body: Callable[..., Any], outs: Sequence[Spec], **facts: Any) -> Op:
    """An operator of any number of inputs whose outputs have fixed specs; not in the catalogue."""
    fixed = {
        "shape": lambda attrs, ins, _: (ins, [s.shape for s in outs]),
        "dtype": rules.output_dtype(lambda attrs, *ins: [s.dtype for s in outs]),
        "outputs": tuple(f"output{i}" for i in range(len(outs))),
    }
    return Op(body, name, **{**PLAIN_FACTS, **fixed, **facts})


def with_stream(op: Op, seed: int, stream: int) -> Op:
    """A random operator as one that draws the numbers of one given stream at every call."""

    def body(xp: Any, *inputs: Any, **attrs: Any) -> Any:
        compute = op.body if xp is np else op.on_device()
        return compute(xp, *inputs, rng=generator(xp, seed, stream), **attrs)

    fixed = copy(op)
    fixed._on_device = body
    fixed.body, fixed.kernel, fixed.hidden = body, None, op.hidden - {"rng"}
    return fixed


def record_function(
    backward: Callable[[Sequence[np.ndarray]], list[np.ndarray]], inputs: list, outputs: list
) -> None:
    """Put one call on the tape whose gradients `backward` computes from the head gradients."""
    ins = tuple(Spec(x._data.shape, x._data.dtype) for x in inputs)
    outs = tuple(Spec(y._data.shape, y._data.dtype) for y in outputs)

    def forward_body(xp: Any, *data: Any) -> Any:
        raise TypeError("a recorded function is not computed again")

    def backward_body(xp: Any, *data: Any) -> Any:
        return tuple(backward(data))

    op = dynamic_op("Function", forward_body, outs)
    op_backward = dynamic_op("_backward_Function", backward_body, ins)
    op_backward.replays = False

    @op.gradient("data")
    def _(dys: list) -> Any:
        grads = op_backward(*dys)
        return grads if isinstance(grads, list) else [grads]

    plan = Plan(op, op.attributes({}), ins, outs)
    saved = (None,) * (len(ins) + len(outs))
    parents, indices = tuple(x._node for x in inputs), tuple(x._index for x in inputs)
    node = TapeNode(plan, parents, indices, saved)
    for i, y in enumerate(outputs):
        y._node, y._index = node, i


@lru_cache(maxsize=256)
def mover(source: Context, target: Context) -> Op:
    """The operator that copies an array from one device to another; its gradient goes back."""

    def body(xp: Any, data: Any) -> Any:
        raise TypeError("copies between devices are no part of a program")

    op = Op(body, "_copyto", **PLAIN_FACTS)
    op.moves = target

    @op.gradient("data")
    def _(dy: Any) -> Any:
        return mover(target, source)(dy)

    return op
