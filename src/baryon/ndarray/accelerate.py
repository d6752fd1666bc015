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
from ..ops.operators import NUMPY_TABLE
from .invoke import find_plan, invoke
from .ndarray import NDArray
from .np_ndarray import ndarray

_DENSE = {NDArray, ndarray}
available = native is not None
_METHODS = [f"__{stem}{kind}__" for kind in NUMPY_TABLE for stem in ("", "r")]

# Methods of np.ndarray that, called with keywords that the operator knows, are an operator.
_NUMPY_METHODS = {
    "all": "_np_all",
    "any": "_np_any",
    "argmax": "_npi_argmax",
    "argmin": "_npi_argmin",
    "copy": "_np_copy",
    "cumsum": "_np_cumsum",
    "dot": "_np_dot",
    "max": "_np_max",
    "mean": "_npi_mean",
    "min": "_np_min",
    "prod": "_np_prod",
    "squeeze": "_np_squeeze",
    "std": "_npi_std",
    "sum": "_np_sum",
    "transpose": "_np_transpose",
    "var": "_npi_var",
}


def are_inputs(op: Op, args: tuple) -> bool:
    """Whether arguments are the operator's inputs, all of them dense arrays."""
    return len(args) == len(op.inputs) and not op.many and _DENSE.issuperset(map(type, args))


def call(op: Op, args: tuple, kwargs: Mapping[str, Any] | None) -> Any:
    """Apply an operator to arguments as users write them."""
    if not kwargs and are_inputs(op, args):
        return invoke(op, args, {})
    inputs, raw = namespaces.split(op, args, dict(kwargs or {}))
    given = [x for x in inputs if x is not None]
    return invoke(op, given, raw, None, None if given else NDArray)


def function(op: Op, plain: Callable[..., Any]) -> Callable[..., Any]:
    """`plain`, run natively where that is possible."""
    return native.function(op, plain) if _runs(op) else plain


def numpy_function(op: Op, plain: Callable[..., Any]) -> Callable[..., Any]:
    """`plain`, which takes ``mx.np.ndarray`` only, run natively where that is possible."""
    return native.function(op, plain, True) if _runs(op) else plain


def _runs(op: Op) -> bool:
    return available and bool(op.inputs) and not op.dynamic


def _apply(op: Op, inputs: Sequence[Any], attrs: Mapping[str, Any]) -> Any:
    return native.invoke(op, tuple(inputs), attrs)


def install() -> None:
    """Put native methods in the place of NDArray's Python operators."""
    if not available:
        return
    native.setup(
        NDArray=NDArray, np_ndarray=ndarray, TapeNode=TapeNode, make_plan=find_plan, slow=call
    )
    NDArray._apply = staticmethod(_apply)  # type: ignore[method-assign]
    plain = {(cls, n): getattr(cls, n, None) for cls in (NDArray, ndarray) for n in _METHODS}
    for cls in (NDArray, ndarray):
        for kind, names in cls._operators.items():
            tensors, scalar = get(names.broadcast), get(names.scalar)
            made = native.method(tensors, scalar, plain[cls, f"__{kind}__"])
            setattr(cls, f"__{kind}__", made)
            if backward := plain[cls, f"__r{kind}__"]:
                made = native.method(None, get(names.reverse), backward)
                setattr(cls, f"__r{kind}__", made)
    for name, op in _NUMPY_METHODS.items():
        setattr(ndarray, name, native.function(get(op), getattr(ndarray, name), True))
