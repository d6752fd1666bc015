"""The native fast path under NDArray's operators and functions.

A native call object tries to run a call wholly in C++ and otherwise calls the Python function it
was made with, which stays the specification.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from .. import namespaces
from ..graph.tape import TapeNode
from ..native import native
from ..ops.op import Op, get
from ..ops.operators import TABLE
from .invoke import find_plan, invoke
from .ndarray import NDArray

available = native is not None


def call(op: Op, args: tuple, kwargs: Mapping[str, Any] | None) -> Any:
    """Apply an operator to arguments as users write them."""
    inputs, raw = namespaces.split(op, args, dict(kwargs or {}))
    return invoke(op, [x for x in inputs if x is not None], raw, None, NDArray)


def function(op: Op, plain: Callable[..., Any]) -> Callable[..., Any]:
    """`plain`, run natively where that is possible."""
    return native.function(op, plain) if available and op.inputs else plain


def _apply(op: Op, inputs: Sequence[Any], attrs: Mapping[str, Any]) -> Any:
    return native.invoke(op, tuple(inputs), attrs)


def install() -> None:
    """Put native methods in the place of NDArray's Python operators."""
    if not available:
        return
    native.setup(NDArray=NDArray, TapeNode=TapeNode, make_plan=find_plan, slow=call)
    NDArray._apply = staticmethod(_apply)  # type: ignore[method-assign]
    for kind, names in TABLE.items():
        forward = getattr(NDArray, f"__{kind}__")
        tensors, scalar = get(names.broadcast), get(names.scalar)
        setattr(NDArray, f"__{kind}__", native.method(tensors, scalar, forward))
        if backward := getattr(NDArray, f"__r{kind}__", None):
            setattr(NDArray, f"__r{kind}__", native.method(None, get(names.reverse), backward))
