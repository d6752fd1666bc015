"""What the fuse pass may know of an operator: facts stated where the operator is declared."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Any, NamedTuple


class Beginning(NamedTuple):
    """A call as the beginning of a fused one: `op` with these inputs and attributes does the same.

    inputs : entries, or ``(operator, shape)`` for a constant such as zeros.
    """

    op: Any
    inputs: list
    raw: dict[str, Any]


class Scored(NamedTuple):
    """Scores of attention: queries keys^T `scale`, for each head.

    layout : how heads lie in `inputs`, as in `fused_attention`.
    """

    layout: str
    inputs: list
    heads: int
    scale: float


class Weighed(NamedTuple):
    """Values of attention, each row a sum weighted by a row of `weights`."""

    layout: str
    weights: Any
    values: Any


class Fusion(NamedTuple):
    """Facts that let neighbours be drawn as one node.

    begins  : ``(inputs, attrs)`` -> the `Beginning` of a fused call that can end in a sum and in
              bounds: it takes ``addend`` as its last input and ``adds``, ``low``, ``high``.
    continues : ``(begun, inputs, attrs)`` -> the `Beginning` of the operator together with the call
              `begun` that gives its first input, or None.
    adds    : the operator gives the sum of its two inputs.
    bounds  : ``attrs`` -> what the first input is cut to, if that is all the operator does.
    affine  : ``(inputs, attrs, bias)`` -> scale and shift of each channel that the operator in this
              mode applies to its first input plus `bias`, if that is all it does.
    uniform : all elements of the output are one number, whatever its attribute ``shape``.
    reduces : ``(attrs, ndim)`` -> the axes of the input that the operator reduces one by one; its
              attributes ``axis``, ``keepdims`` and ``exclude`` say so.
    scaled  : of a fused operator: positions of its inputs scale and shift.
    joins   : ``attrs`` -> the axis along which the output is the inputs, one after the other.
    lean    : ``(inputs, attrs, parts)`` -> a call that gives the first outputs alone, for less, or
              None; ``parts(entry)`` are the vectors that an input is joined of.
    idle    : ``attrs`` -> whether the first output is the only input as it is.
    factor  : ``attrs`` -> the number that the operator multiplies its only input with.
    scores  : ``(inputs, attrs)`` -> the `Scored` that the operator gives, or None.
    softens : ``(attrs, ndim)`` -> the factor before softmax along the last axis, if that is all the
              operator does, in its input's type; a second input counts the elements of each row.
    weighs  : ``(inputs, attrs)`` -> the `Weighed` that the operator gives, or None.
    curve   : ``attrs`` -> ``"relu"`` or ``"gelu"``, if the first output is that of the only input.
    linear  : ``(inputs, attrs)`` -> the `Beginning` of a fused call that can end in such a curve:
              it takes ``act``, and with ``keeps`` also gives what was before it.
    drops   : ``attrs`` -> the probability with which each element of the first output is zero, the
              others divided by what is left of 1, if that is all the operator does.
    measures: ``(inputs, attrs, eps)`` -> the `Beginning` of a call that also gives, of each channel
              of its result, the mean and ``1 / sqrt(variance + eps)``.
    measured_eps : ``attrs`` -> the eps with which the operator measures its first input, or None.
    loadable : ``attrs`` -> whether readers may compute the result from the first input and the four
              vectors that follow it.    rectifies : ``attrs`` -> whether it ends in relu alone.
    on_load : positions of inputs of this kind -> ``(inputs, attrs, vectors, attrs of the other)``
              -> the `Beginning` that does so, with the other's first input at that position.
    rectified : ``attrs`` -> whether the operator passes on its first input where the second one,
              which is nowhere below 0, is above 0.
    masked  : ``(inputs, attrs, dy, beta)`` -> the `Beginning` that does this itself to `dy`, its
              first input, where the second one is what it gets from its inputs and `beta`.
    given   : ``(inputs, attrs, moments)`` -> the `Beginning` that does the rest of its work.
    """

    begins: Callable[[Sequence[Any], Any], Beginning] | None = None
    continues: Callable[[Beginning, Sequence[Any], Any], Beginning | None] | None = None
    adds: bool = False
    bounds: Callable[[Any], tuple[float, float] | None] | None = None
    affine: Callable[[Sequence[Any], Any, Any], Sequence[Any] | None] | None = None
    scaled: tuple[int, int] | None = None
    uniform: bool = False
    reduces: Callable[[Any, int], Sequence[int]] | None = None
    joins: Callable[[Any], int] | None = None
    lean: Callable[[Sequence[Any], Any, Callable[[Any], Sequence[Any]]], Any] | None = None
    idle: Callable[[Any], bool] | None = None
    factor: Callable[[Any], float] | None = None
    scores: Callable[[Sequence[Any], Any], Scored | None] | None = None
    softens: Callable[[Any, int], float | None] | None = None
    measures: Callable[[Sequence[Any], Any, float], Beginning] | None = None
    measured_eps: Callable[[Any], float | None] | None = None
    loadable: Callable[[Any], bool] | None = None
    rectifies: Callable[[Any], bool] | None = None
    on_load: Mapping[int, Callable[..., Beginning]] = MappingProxyType({})
    rectified: Callable[[Any], bool] | None = None
    masked: Callable[[Sequence[Any], Any, Any, Any], Beginning] | None = None
    given: Callable[[Sequence[Any], Any, Sequence[Any]], Beginning] | None = None
    weighs: Callable[[Sequence[Any], Any], Weighed | None] | None = None
    curve: Callable[[Any], str | None] | None = None
    linear: Callable[[Sequence[Any], Any], Beginning | None] | None = None
    drops: Callable[[Any], float | None] | None = None


NOTHING = Fusion()
