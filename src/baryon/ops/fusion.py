"""What the fuse pass may know of an operator: facts stated where the operator is declared."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple


class Beginning(NamedTuple):
    """A call as the beginning of a fused one: `op` with these inputs and attributes does the same.

    inputs : entries, or ``(operator, shape)`` for a constant such as zeros.
    """

    op: Any
    inputs: list
    raw: dict[str, Any]


class Fusion(NamedTuple):
    """Facts that let neighbours be drawn as one node.

    begins  : ``(inputs, attrs)`` -> the `Beginning` of a fused call that can end in a sum and in
              bounds: it takes ``addend`` as its last input and ``adds``, ``low``, ``high``.
    adds    : the operator gives the sum of its two inputs.
    bounds  : ``attrs`` -> what the first input is cut to, if that is all the operator does.
    affine  : ``(inputs, attrs, bias)`` -> scale and shift of each channel that the operator in this
              mode applies to its first input plus `bias`, if that is all it does.
    uniform : all elements of the output are one number, whatever its attribute ``shape``.
    reduces : ``(attrs, ndim)`` -> the axes of the input that the operator reduces one by one; its
              attributes ``axis``, ``keepdims`` and ``exclude`` say so.
    scaled  : of a fused operator: positions of its inputs scale and shift.
    """

    begins: Callable[[Sequence[Any], Any], Beginning] | None = None
    adds: bool = False
    bounds: Callable[[Any], tuple[float, float] | None] | None = None
    affine: Callable[[Sequence[Any], Any, Any], Sequence[Any] | None] | None = None
    scaled: tuple[int, int] | None = None
    uniform: bool = False
    reduces: Callable[[Any, int], Sequence[int]] | None = None


NOTHING = Fusion()
