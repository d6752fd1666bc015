"""Nested lists of tensors, flattened for a graph and put together again."""

from __future__ import annotations

from typing import Any

from ..ndarray import NDArray
from ..symbol import Symbol

# What a nested argument looks like, flattened: -1 is None, 0 a tensor, n > 1 a Symbol of n outputs;
# a list is a list or tuple.
Format = int | list


def _flatten(args: Any, inout_str: str) -> tuple[list, Format]:
    """The tensors (and Nones) of a nested structure in order, and the structure's format.

    inout_str : "input" or "output", for the error message.
    """
    if isinstance(args, NDArray):
        return [args], 0
    if isinstance(args, Symbol):
        count = len(args.list_outputs())
        return [args], count if count > 1 else 0
    if args is None:
        return [None], -1
    if not isinstance(args, (list, tuple)):
        raise ValueError(
            f"When hybridized, the {inout_str} of HybridBlock must be (nested) list of Symbol or "
            f"NDArray, but got {args} of type {type(args)}"
        )
    flat, formats = [], []
    for arg in args:
        tensors, form = _flatten(arg, inout_str)
        flat.extend(tensors)
        formats.append(form)
    return flat, formats


def _regroup(args: list, fmt: Format) -> tuple[Any, list]:
    """The structure of format `fmt` made of the first of `args`, and the rest of `args`."""
    if isinstance(fmt, int):
        if fmt == -1:
            if args[0] is not None:
                raise ValueError("a value stands where the structure has None")
            return None, args[1:]
        if fmt == 0:
            return args[0], args[1:]
        return args[:fmt], args[fmt:]
    made = []
    for form in fmt:
        value, args = _regroup(args, form)
        made.append(value)
    return made, args


def trimmed(fmt: list) -> list:
    """A format of arguments without the Nones at its end: ``f(x)`` is ``f(x, None)``."""
    end = len(fmt)
    while end and fmt[end - 1] == -1:
        end -= 1
    return fmt[:end]


def first_tensor(args: Any) -> Any:
    """The first NDArray or Symbol in a nested structure, None if there is none."""
    if isinstance(args, (NDArray, Symbol)):
        return args
    if isinstance(args, (list, tuple)):
        for arg in args:
            found = first_tensor(arg)
            if found is not None:
                return found
    return None


def tensors(args: Any) -> list:
    """All NDArrays in a nested structure."""
    if isinstance(args, NDArray):
        return [args]
    if isinstance(args, (list, tuple)):
        return [tensor for arg in args for tensor in tensors(arg)]
    return []
