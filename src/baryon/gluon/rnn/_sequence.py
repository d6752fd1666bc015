"""Sequences as one tensor or as a list of steps, and the masking of their ends."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ... import ndarray, symbol
from ...base import MXNetError
from ...ndarray import NDArray
from ...symbol import Symbol
from ..utils import ArgumentError

TENSORS = (NDArray, Symbol)


def module_of(tensor: Any) -> Any:
    """The namespace that serves a tensor: ``baryon.ndarray`` or ``baryon.symbol``."""
    if isinstance(tensor, TENSORS):
        return symbol if isinstance(tensor, Symbol) else ndarray
    raise TypeError(f"expected an NDArray or Symbol, got {type(tensor).__name__}")


def _format_sequence(
    length: int | None, inputs: Any, layout: str, merge: bool | None, in_layout: str | None = None
) -> tuple[Any, int, Any, int]:
    """A sequence merged into one tensor, or split into steps, or as it is.

    merge     : True for one tensor, False for a list of steps, None for either.
    in_layout : layout of `inputs` where it differs from `layout`.

    Returns the sequence, its time axis, the namespace for it, and the batch size (0: unknown).
    """
    if inputs is None:
        raise ArgumentError(
            "unroll(inputs=None) has been deprecated. Please create inputs outside."
        )
    axis = layout.find("T")
    in_axis = in_layout.find("T") if in_layout is not None else axis
    if isinstance(inputs, TENSORS):
        F = module_of(inputs)
        size = inputs.shape[layout.find("N")] if F is ndarray else 0
        if merge is False:
            return _steps(F, inputs, length, in_axis), axis, F, size
        if axis != in_axis:
            inputs = F.swapaxes(inputs, dim1=axis, dim2=in_axis)
        return inputs, axis, F, size
    if length is not None and len(inputs) != length:
        raise ArgumentError(f"expected a sequence of {length} steps, got {len(inputs)}")
    F = module_of(inputs[0])
    size = inputs[0].shape[0] if F is ndarray else 0
    if merge is True:
        inputs = F.stack(*inputs, axis=axis)
    return inputs, axis, F, size


def _steps(F: Any, inputs: Any, length: int | None, axis: int) -> list:
    """One tensor split along its time axis."""
    if F is ndarray:
        if length is not None and length != inputs.shape[axis]:
            raise ArgumentError(
                f"expected a sequence of {length} steps on axis {axis}, got shape {inputs.shape}"
            )
        length = inputs.shape[axis]
    elif len(inputs.list_outputs()) != 1:
        raise ArgumentError(
            "unroll doesn't allow grouped symbol as input. Please convert to list first or let "
            "unroll handle splitting."
        )
    split = F.split(inputs, axis=axis, num_outputs=length, squeeze_axis=True)
    return list(split) if length > 1 else [split]


def _get_begin_state(cell: Any, F: Any, begin_state: Any, inputs: Any, batch_size: int) -> Any:
    """The states given, or zeros."""
    if begin_state is not None:
        return begin_state
    if F is symbol:
        return cell.begin_state(func=F.zeros, batch_size=batch_size)
    first = inputs if isinstance(inputs, NDArray) else inputs[0]
    with first.context:
        return cell.begin_state(func=F.zeros, batch_size=batch_size)


def _mask_sequence_variable_length(
    F: Any, data: Any, length: int, valid_length: Any, time_axis: int, merge: bool
) -> Any:
    """A sequence with zeros after the valid steps of each sample."""
    if valid_length is None:
        raise MXNetError("masking a sequence needs valid_length")
    if not isinstance(data, TENSORS):
        data = F.stack(*data, axis=time_axis)
    masked = F.SequenceMask(
        data, sequence_length=valid_length, use_sequence_length=True, axis=time_axis
    )
    return masked if merge else _steps(F, masked, length, time_axis)


def _reverse_sequences(sequences: Sequence, length: int, valid_length: Any = None) -> list:
    """Steps in reverse order; only the valid ones of each sample, where `valid_length` is given."""
    if valid_length is None:
        return list(reversed(sequences))
    F = module_of(sequences[0])
    reversed_ = F.SequenceReverse(
        F.stack(*sequences, axis=0), sequence_length=valid_length, use_sequence_length=True
    )
    return _steps(F, reversed_, length, 0)
