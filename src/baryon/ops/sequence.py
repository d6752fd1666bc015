"""Operators on batches of sequences of different lengths.

`data` is (time, batch, ...) with axis 0, (batch, time, ...) with axis 1; `sequence_length` has one
number for each batch entry and is read only with `use_sequence_length`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from ..base import MXNetError
from .attrs import Attrs, Shape
from .device import fixed
from .indexing import whole
from .op import op
from .rules import uniform_among, unify
from .samples import constant, normal

_PRESENT = {"sequence_length": lambda attrs: attrs.use_sequence_length}


def _lengths_rule(result: Callable[[Attrs, tuple], tuple], two_way: bool) -> Any:
    """A shape rule: one length a batch entry, the output as ``result(attrs, data)``."""

    def rule(attrs: Attrs, ins: list, outs: list) -> tuple[list, list]:
        if attrs.axis not in (0, 1):
            raise MXNetError(f"axis is {attrs.axis}, expected 0 or 1")
        data = unify(ins[0], outs[0]) if two_way else ins[0]
        if data is None:
            return ins, outs
        if len(data) < 2:
            raise MXNetError(f"data of shape {data} has no time and batch axes")
        lengths = [unify(s, (data[1 - attrs.axis],)) for s in ins[1:]]
        return [data, *lengths], [unify(result(attrs, data), outs[0])]

    return rule


_same = _lengths_rule(lambda attrs, data: data, two_way=True)


def _axis(attrs: Attrs, ins: Sequence, outs: Sequence) -> tuple:
    return (attrs.axis,)


def _lengths(xp: Any, sequence_length: Any, time: int, least: int = 0) -> Any:
    return xp.clip(whole(xp, sequence_length), least, time)


# ---- SequenceMask --------------------------------------------------------------------------------


@op(
    "SequenceMask",
    aliases=("_npx_sequence_mask",),
    shape=_same,
    dtype=uniform_among(0, rest=lambda dtype: dtype),
    present=_PRESENT,
    inplace={0: "data"},
    kernel=True,
    params=lambda a, ins, outs: (a.axis, a.value),
)
def sequence_mask(
    xp,
    data,
    sequence_length=None,
    *,
    use_sequence_length: bool = False,
    value: float = 0.0,
    axis: int = 0,
):
    """`data` with all steps at and after each sequence's length set to `value`.

    data : (time, batch, ...), or with `axis` 1 (batch, time, ...). sequence_length : (batch,), read
    with `use_sequence_length`; without it every sequence has all steps. Source: MXNet operator
    SequenceMask.

    >>> mx.nd.SequenceMask(mx.nd.ones((2, 2)), mx.nd.array([1, 2]),
    ...                    use_sequence_length=True).asnumpy()
    array([[1., 1.],
           [0., 1.]], dtype=float32)
    """
    if not use_sequence_length:
        return data
    steps = xp.arange(data.shape[axis])
    steps = steps[:, None] if axis == 0 else steps[None, :]
    lengths = sequence_length[None, :] if axis == 0 else sequence_length[:, None]
    kept = (steps < lengths).reshape(data.shape[:2] + (1,) * (data.ndim - 2))
    return xp.where(kept, data, fixed(xp, value, data.dtype))


@sequence_mask.gradient("data")
def _(dy, sequence_length, use_sequence_length, axis):
    if not use_sequence_length:
        return dy
    return sequence_mask(dy, sequence_length, use_sequence_length=True, axis=axis)


_LENGTHS = constant([2, 4, 1], integral=True)
sequence_mask.sample(
    data=normal(4, 3, 2), sequence_length=_LENGTHS, use_sequence_length=True, value=-1.5
)
sequence_mask.sample(
    data=normal(3, 4, 2), sequence_length=_LENGTHS, use_sequence_length=True, axis=1
)
sequence_mask.sample(data=normal(4, 3))


# ---- SequenceLast --------------------------------------------------------------------------------


def _without_time(attrs: Attrs, data: tuple[int, ...]) -> tuple[int, ...]:
    if data[attrs.axis] == 0:
        raise MXNetError("a sequence without steps has no last one")
    return (*data[: attrs.axis], *data[attrs.axis + 1 :])


def _last(xp: Any, sequence_length: Any, shape: Sequence[int], axis: int) -> tuple:
    """The index of each sequence's last step; an empty one is taken to have one step."""
    time, batch = shape[axis], shape[1 - axis]
    if sequence_length is None:
        last = xp.full(batch, time - 1)
    else:
        last = _lengths(xp, sequence_length, time, least=1) - 1
    return (last, xp.arange(batch)) if axis == 0 else (xp.arange(batch), last)


@op(
    "SequenceLast",
    shape=_lengths_rule(_without_time, two_way=False),
    dtype=uniform_among(0, rest=lambda dtype: dtype),
    present=_PRESENT,
    kernel=True,
    params=_axis,
)
def sequence_last(
    xp, data, sequence_length=None, *, use_sequence_length: bool = False, axis: int = 0
):
    """The last step of each sequence: (batch, ...).

    data : (time, batch, ...), or with `axis` 1 (batch, time, ...). sequence_length : (batch,), read
    with `use_sequence_length`; without it every sequence has all steps. Source: MXNet operator
    SequenceLast.

    >>> data = mx.nd.array([[1, 2], [3, 4]])
    >>> mx.nd.SequenceLast(data, mx.nd.array([1, 2]), use_sequence_length=True).asnumpy()
    array([1., 4.], dtype=float32)
    """
    return data[_last(xp, sequence_length, data.shape, axis)]


@sequence_last.gradient("data")
def _(dy, data, sequence_length, use_sequence_length, axis):
    given = (sequence_length,) if use_sequence_length else ()
    return last_gradient(
        dy, *given, use_sequence_length=use_sequence_length, axis=axis, shape=data.shape
    )


sequence_last.sample(data=normal(4, 3, 2), sequence_length=_LENGTHS, use_sequence_length=True)
sequence_last.sample(data=normal(3, 4), sequence_length=_LENGTHS, use_sequence_length=True, axis=1)
sequence_last.sample(data=normal(4, 3, 2))


@op(
    "_backward_SequenceLast",
    shape=lambda attrs, ins, outs: (ins, [unify(attrs.shape, outs[0])]),
    dtype=uniform_among(0),
    present=_PRESENT,
    kernel=True,
    params=_axis,
)
def last_gradient(
    xp,
    dy,
    sequence_length=None,
    *,
    use_sequence_length: bool = False,
    axis: int = 0,
    shape: Shape,
):
    """Zeros of `shape` but for the steps that ``SequenceLast`` read, which are `dy`."""
    out = xp.zeros(shape, dy.dtype)
    out[_last(xp, sequence_length, shape, axis)] = dy
    return out


@last_gradient.gradient("dy")
def _(d_output, sequence_length, use_sequence_length, axis):
    given = (sequence_length,) if use_sequence_length else ()
    return sequence_last(d_output, *given, use_sequence_length=use_sequence_length, axis=axis)


last_gradient.sample(
    dy=normal(3, 2), sequence_length=_LENGTHS, use_sequence_length=True, shape=(4, 3, 2)
)


# ---- SequenceReverse -----------------------------------------------------------------------------


@op(
    "SequenceReverse",
    shape=_same,
    dtype=uniform_among(0, rest=lambda dtype: dtype),
    present=_PRESENT,
    kernel=True,
    params=_axis,
)
def sequence_reverse(
    xp, data, sequence_length=None, *, use_sequence_length: bool = False, axis: int = 0
):
    """Each sequence's steps in reverse order; what follows its end stays in place.

    data : (time, batch, ...), or with `axis` 1 (batch, time, ...). sequence_length : (batch,), read
    with `use_sequence_length`; without it every sequence has all steps. Source: MXNet operator
    SequenceReverse.

    >>> data = mx.nd.array([[1, 1], [2, 2], [3, 3]])
    >>> mx.nd.SequenceReverse(data, mx.nd.array([2, 3]), use_sequence_length=True).asnumpy()
    array([[2., 3.],
           [1., 2.],
           [3., 1.]], dtype=float32)
    """
    if not use_sequence_length:
        return xp.flip(data, axis)
    time, batch = data.shape[axis], data.shape[1 - axis]
    steps = xp.arange(time)[:, None]
    lengths = _lengths(xp, sequence_length, time)[None, :]
    source = xp.where(steps < lengths, lengths - 1 - steps, steps)
    if axis == 0:
        return data[source, xp.arange(batch)[None, :]]
    return data[xp.arange(batch)[:, None], source.T]


@sequence_reverse.gradient("data")
def _(dy, sequence_length, use_sequence_length, axis):
    given = (sequence_length,) if use_sequence_length else ()
    return sequence_reverse(dy, *given, use_sequence_length=use_sequence_length, axis=axis)


sequence_reverse.sample(data=normal(4, 3, 2), sequence_length=_LENGTHS, use_sequence_length=True)
sequence_reverse.sample(
    data=normal(3, 4), sequence_length=_LENGTHS, use_sequence_length=True, axis=1
)
sequence_reverse.sample(data=normal(4, 3))
