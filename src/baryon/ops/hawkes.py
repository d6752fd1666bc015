"""The log-likelihood of events that excite each other.

Source: Hawkes, "Spectra of some self-exciting and mutually exciting point processes", Biometrika
58, 1971.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

from ..base import MXNetError
from .attrs import Attrs
from .indexing import whole
from .numeric import widen
from .op import op
from .rules import forward, uniform_among
from .samples import constant, integers, typed, uniform

_INPUTS = ("lda", "alpha", "beta", "state", "lags", "marks", "valid_length", "max_time")


def _check(lda, alpha, beta, state, lags, marks, valid_length, max_time) -> None:
    if len(lda) != 2 or len(lags) != 2:
        raise MXNetError("expects lda (batch, marks) and lags (batch, steps)")
    batch, kinds = lda
    want = (lda, (kinds,), (kinds,), lda, (batch, lags[1]), lags, (batch,), (batch,))
    given = (lda, alpha, beta, state, lags, marks, valid_length, max_time)
    for name, shape, expected in zip(_INPUTS, given, want, strict=True):
        if shape != expected:
            raise MXNetError(f"{name} has shape {shape}, expected {expected}")


def _shape(attrs: Attrs, *shapes: tuple[int, ...]) -> list:
    _check(*shapes)
    return [shapes[0][:1], shapes[0]]


class _Interval(NamedTuple):
    """What has passed since the last event of a kind: for events, or for all kinds at the end.

    at      : where it is, (batch rows, kinds), to index arrays (batch, kinds) with.
    elapsed : the time.     decay : what is left of the excitement of its beginning.
    memory  : the excitement at its beginning, and its derivative by beta.
    event   : whether an event ends it.
    """

    at: tuple
    elapsed: Any
    decay: Any
    memory: tuple[Any, Any]
    event: bool


def _intervals(xp, beta, state, lags, marks, valid_length, max_time) -> Iterator[_Interval]:
    """All intervals between events of one kind, in time, then those up to `max_time`."""
    batch, kinds = state.shape
    marks, last = whole(xp, marks), xp.zeros_like(state)
    now = xp.zeros(batch, state.dtype)
    memory = (state.copy(), xp.zeros_like(state))
    for step in range(lags.shape[1]):
        rows = xp.flatnonzero(step < valid_length)
        mark = marks[rows, step]
        if ((mark < 0) | (mark >= kinds)).any():
            raise MXNetError(f"operator hawkesll: a mark is outside of 0 to {kinds - 1}")
        now[rows] += lags[rows, step]
        at = (rows, mark)
        elapsed = now[rows] - last[at]
        decay = xp.exp(-beta[mark] * elapsed)
        before = tuple(m[at] for m in memory)
        yield _Interval(at, elapsed, decay, before, event=True)
        last[at] = now[rows]
        for target, value in zip(memory, _decayed(before, elapsed, decay), strict=True):
            target[at] = value
        memory[0][at] += 1
    elapsed = max_time[:, None] - last
    every = tuple(xp.indices(state.shape))
    yield _Interval(every, elapsed, xp.exp(-beta * elapsed), memory, event=False)


def _decayed(memory: tuple, elapsed: Any, decay: Any) -> tuple[Any, Any]:
    """Excitement at an interval's end, and its derivative."""
    excitement, by_beta = memory
    return excitement * decay, (by_beta - elapsed * excitement) * decay


@op(
    "_contrib_hawkesll",
    shape=forward(_shape),
    dtype=uniform_among(0, 1, 2, 3, 4, 6, 7),
    outputs=("output", "out_state"),
)
def hawkesll(xp, lda, alpha, beta, state, lags, marks, valid_length, max_time):
    """Log-likelihood (batch,) of marked Hawkes processes that decay exponentially; last states.

    lda : (batch, marks), intensities without events. alpha, beta : (marks,), how much an event
    excites its own mark, and how fast that decays: by ``alpha beta exp(-beta t)``. state : (batch,
    marks), excitement at time 0. lags, marks : (batch, steps), times between events, and their
    marks. valid_length : (batch,), how many events there are. max_time : (batch,), how long was
    observed. Gradients flow from the likelihood alone, and to lda, alpha and beta, as in MXNet.
    Source: MXNet operator contrib.hawkesll.

    >>> one = mx.nd.ones((1, 1))
    >>> mark, unit = mx.nd.zeros((1, 1), dtype="int32"), one[0]
    >>> ll, state = mx.nd.contrib.hawkesll(one, unit, unit, one * 0, one, mark, unit, unit * 2)
    >>> ll.asnumpy().round(4), state.asnumpy().round(4)
    (array([-2.6321], dtype=float32), array([[0.3679]], dtype=float32))
    """
    lda, alpha, beta, state, lags = (widen(xp, x) for x in (lda, alpha, beta, state, lags))
    total = xp.zeros_like(lda)
    for span in _intervals(xp, beta, state, lags, marks, valid_length, widen(xp, max_time)):
        at, kind = span.at, span.at[1]
        excitement = span.memory[0]
        total[at] -= lda[at] * span.elapsed + alpha[kind] * excitement * (1 - span.decay)
        if span.event:
            total[at] += xp.log(lda[at] + alpha[kind] * beta[kind] * excitement * span.decay)
    return total.sum(1), span.memory[0] * span.decay


@op(
    "_backward_hawkesll",
    shape=forward(lambda attrs, dy, *shapes: [*shapes[:3]]),
    dtype=uniform_among(0, 1, 2, 3, 4, 5, 7, 8),
    outputs=_INPUTS[:3],
)
def backward_hawkesll(xp, dy, lda, alpha, beta, state, lags, marks, valid_length, max_time):
    """Gradients of the likelihoods by lda, alpha and beta."""
    dy, lda, alpha, beta, state, lags = (widen(xp, x) for x in (dy, lda, alpha, beta, state, lags))
    by_lda, by_alpha, by_beta = (xp.zeros_like(lda) for _ in range(3))
    for span in _intervals(xp, beta, state, lags, marks, valid_length, widen(xp, max_time)):
        at, gone = span.at, 1 - span.decay
        a, b = alpha[at[1]], beta[at[1]]
        excitement, memory_by_beta = span.memory
        by_lda[at] -= span.elapsed
        by_alpha[at] -= excitement * gone
        by_beta[at] -= a * (memory_by_beta * gone + excitement * span.elapsed * span.decay)
        if span.event:
            kept, kept_by_beta = _decayed(span.memory, span.elapsed, span.decay)
            rate = 1 / (lda[at] + a * b * kept)
            by_lda[at] += rate
            by_alpha[at] += b * kept * rate
            by_beta[at] += a * (kept + b * kept_by_beta) * rate
    by_lda, by_alpha, by_beta = (g * dy[:, None] for g in (by_lda, by_alpha, by_beta))
    return by_lda, by_alpha.sum(0), by_beta.sum(0)


@hawkesll.gradient("lda", "alpha", "beta")
def _(d_output, lda, alpha, beta, state, lags, marks, valid_length, max_time):
    if d_output is None:
        return (None,) * 3
    return backward_hawkesll(d_output, lda, alpha, beta, state, lags, marks, valid_length, max_time)


_SAMPLE = {
    "lda": uniform(2, 3, low=0.5, high=2),
    "alpha": uniform(3, low=0.2, high=0.8),
    "beta": uniform(3, low=0.5, high=2),
    "state": uniform(2, 3, low=0, high=1),
    "lags": uniform(2, 5, low=0.1, high=1),
    "marks": typed(integers(2, 5, high=3), "int32"),
    "valid_length": constant([5, 3]),
    "max_time": constant([6.0, 7.0]),
}
hawkesll.sample(**_SAMPLE, _grad=("lda", "alpha"), _second_order=False)
backward_hawkesll.sample(dy=uniform(2), **_SAMPLE, _grad=())
