"""Operators written in Python, and what the catalogue tells of its own (``mxnet.operator``)."""

from __future__ import annotations

from typing import NamedTuple

from .base import MXCallbackList  # noqa: F401 - MXNet has it here
from .custom import CustomOp, CustomOpProp, register
from .ndarray import NDArray  # noqa: F401 - and this
from .ops.op import REGISTRY, get
from .python_op import NDArrayOp, NumpyOp, PythonOp

__all__ = [
    "CustomOp",
    "CustomOpProp",
    "NDArrayOp",
    "NumpyOp",
    "OperatorArguments",
    "PythonOp",
    "get_all_registered_operators",
    "get_operator_arguments",
    "register",
]


class OperatorArguments(NamedTuple):
    """Number, names and types of what a catalogue operator is called with."""

    narg: int
    names: list[str]
    types: list[str]


def get_all_registered_operators() -> list[str]:
    """The names of all operators of the catalogue.

    >>> "Convolution" in mx.operator.get_all_registered_operators()
    True
    """
    return sorted(REGISTRY)


def get_operator_arguments(op_name: str) -> OperatorArguments:
    """Inputs and attributes of an operator.

    >>> mx.operator.get_operator_arguments("relu").names
    ['data']
    """
    op = get(op_name)
    kind = "NDArray-or-Symbol[]" if op.many else "NDArray-or-Symbol"
    names = [*op.inputs, *op.attrs]
    types = [kind] * len(op.inputs)
    for attr in op.attrs.values():
        shown = attr.type.show(attr.default) if attr.default is not None else "None"
        end = "required" if attr.required else f"optional, default={shown}"
        types.append(f"{attr.type.name}, {end}")
    return OperatorArguments(len(names), names, types)
