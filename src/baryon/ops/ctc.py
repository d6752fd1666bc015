"""Connectionist temporal classification: the loss of an alignment-free labelling."""

from __future__ import annotations

from typing import Any, Literal, NamedTuple

import numpy as np

from ..base import MXNetError
from .attrs import Attrs
from .indexing import whole
from .numeric import widen
from .op import op
from .rules import forward, show, uniform_among
from .samples import constant, integers, normal
from .softmax import log_normalised

Blank = Literal["first", "last"]


class Lattice(NamedTuple):
    """The labels with blanks between them, (N, 2 L + 1), and what a path through them sees."""

    labels: Any  # classes, blanks included
    skips: Any  # whether a path may come from two places before
    last: Any  # (N,): the place of the final blank
    steps: Any  # (N,): how many time steps count
    log_p: Any  # (T, N, 2 L + 1): log probability of each place, -inf beyond the last
    log_softmax: Any  # (T, N, C)


def _ends(xp: Any, label: Any, length: Any, blank: str) -> Any:
    """Number of labels in each row: as told, or those before the first padding."""
    if length is not None:
        return xp.clip(whole(xp, length), 0, label.shape[1])
    padding = label == (0 if blank == "first" else -1)
    return (xp.cumsum(padding, axis=1) == 0).sum(axis=1)


def _lattice(xp: Any, data: Any, label: Any, steps: Any, length: Any, blank: str) -> Lattice:
    total, batch, classes = data.shape
    label = whole(xp, label)
    count = _ends(xp, label, length, blank)
    labels = xp.full((batch, 2 * label.shape[1] + 1), 0 if blank == "first" else classes - 1)
    labels[:, 1::2] = xp.clip(label, 0, classes - 1)
    place = xp.arange(labels.shape[1])
    skips = xp.zeros(labels.shape, bool)
    skips[:, 2:] = (place[2:] % 2 == 1) & (labels[:, 2:] != labels[:, :-2])
    shifted, log_sum = log_normalised(xp, widen(xp, data).astype(np.float64), 2)
    log_softmax = shifted - log_sum
    log_p = xp.take_along_axis(log_softmax, labels[None], axis=2)
    log_p = xp.where(place > 2 * count[:, None], -np.inf, log_p)
    steps = xp.full(batch, total) if steps is None else xp.clip(whole(xp, steps), 0, total)
    return Lattice(labels, skips, 2 * count, steps, log_p, log_softmax)


def _later(xp: Any, x: Any, by: int) -> Any:
    """Rows moved `by` places to the right, -inf moving in."""
    moved = xp.full_like(x, -np.inf)
    moved[:, by:] = x[:, :-by]
    return moved


def _sooner(xp: Any, x: Any, by: int) -> Any:
    moved = xp.full_like(x, -np.inf)
    moved[:, :-by] = x[:, by:]
    return moved


def _forward(xp: Any, lattice: Lattice) -> Any:
    """Log probability of all paths that reach each place at each time, this step included."""
    alpha = xp.full_like(lattice.log_p, -np.inf)
    alpha[0, :, :2] = lattice.log_p[0, :, :2]
    for t in range(1, len(alpha)):
        before = alpha[t - 1]
        reached = xp.logaddexp(before, _later(xp, before, 1))
        skipped = xp.where(lattice.skips, _later(xp, before, 2), -np.inf)
        alpha[t] = xp.logaddexp(reached, skipped) + lattice.log_p[t]
    return alpha


def _backward(xp: Any, lattice: Lattice) -> Any:
    """Log probability of all paths from each place at each time to the end, without this step."""
    place = xp.arange(lattice.labels.shape[1])
    last = lattice.last[:, None]
    ends = xp.where((place == last) | (place == last - 1), 0.0, -np.inf)
    beta = xp.full_like(lattice.log_p, -np.inf)
    after = xp.full_like(ends, -np.inf)
    for t in range(len(beta) - 1, -1, -1):
        go = xp.logaddexp(after, _sooner(xp, after, 1))
        skipped = _sooner(xp, xp.where(lattice.skips, after, -np.inf), 2)
        go = xp.logaddexp(go, skipped)
        beta[t] = xp.where((t == lattice.steps - 1)[:, None], ends, go)
        after = beta[t] + lattice.log_p[t]
    return beta


def _log_likelihood(xp: Any, lattice: Lattice, alpha: Any) -> Any:
    """Log probability of all paths, -inf where none fits."""
    final = xp.take_along_axis(alpha, xp.maximum(lattice.steps - 1, 0)[None, :, None], axis=0)[0]
    last = lattice.last[:, None]
    blank = xp.take_along_axis(final, last, axis=1)
    label = xp.take_along_axis(final, xp.maximum(last - 1, 0), axis=1)
    label = xp.where(last > 0, label, -np.inf)
    return xp.where(lattice.steps > 0, xp.logaddexp(blank, label)[:, 0], -np.inf)


def _lengths(attrs: dict, first: Any, second: Any) -> tuple[Any, Any]:
    """Lengths of data and labels from the optional inputs that are there."""
    return (first, second) if attrs["use_data_lengths"] else (None, first)


def _ctc_shape(attrs: Attrs, data: tuple, label: tuple, *lengths: tuple) -> tuple:
    if len(data) != 3 or len(label) != 2 or label[0] != data[1]:
        raise MXNetError(
            f"data {show(data)} and label {show(label)} must be (time, batch, classes) and "
            "(batch, labels)"
        )
    if label[1] > data[0]:
        raise MXNetError(f"{label[1]} labels do not fit into {data[0]} time steps")
    if any(s != (data[1],) for s in lengths):
        raise MXNetError(f"lengths must have shape {show((data[1],))}")
    return (data[1],)


_PRESENT = {
    "data_lengths": lambda a: a.use_data_lengths,
    "label_lengths": lambda a: a.use_label_lengths,
}


@op(
    "CTCLoss",
    aliases=("_contrib_CTCLoss", "_contrib_ctc_loss", "ctc_loss"),
    shape=forward(_ctc_shape),
    dtype=uniform_among(0),
    outputs=("output0",),
    counted=lambda a: 2,
    present=_PRESENT,
)
def ctc_loss(
    xp: Any,
    data: Any,
    label: Any,
    data_lengths: Any = None,
    label_lengths: Any = None,
    *,
    use_data_lengths: bool = False,
    use_label_lengths: bool = False,
    blank_label: Blank = "first",
) -> Any:
    """Negative log probability of the labels under all alignments, shape (batch,).

    data : (time, batch, classes), before softmax.    label : (batch, labels), class indices.
    data_lengths, label_lengths : (batch,), with ``use_data_lengths`` and ``use_label_lengths``;
    without them all steps count, and a label ends before its first padding: 0 where `blank_label`
    is first, and so class 0, -1 where it is last. The loss of a label that fits no alignment is 0.
    Source: Graves et al., ICML 2006; MXNet operator CTCLoss.

    >>> mx.nd.CTCLoss(mx.nd.zeros((2, 1, 2)), mx.nd.array([[1]])).asnumpy()
    array([0.2876821], dtype=float32)
    """
    lengths = _lengths({"use_data_lengths": use_data_lengths}, data_lengths, label_lengths)
    lattice = _lattice(xp, data, label, *lengths, blank_label)
    log_likelihood = _log_likelihood(xp, lattice, _forward(xp, lattice))
    return xp.where(xp.isneginf(log_likelihood), 0, -log_likelihood)


@op(
    "_backward_ctc_loss",
    shape=forward(lambda a, dy, data, *rest: data),
    dtype=uniform_among(0, 1),
    present=_PRESENT,
)
def ctc_gradient(
    xp: Any,
    dy: Any,
    data: Any,
    label: Any,
    data_lengths: Any = None,
    label_lengths: Any = None,
    *,
    use_data_lengths: bool = False,
    use_label_lengths: bool = False,
    blank_label: Blank = "first",
) -> Any:
    """Gradient of `ctc_loss`: softmax less the probability of each class over all alignments."""
    lengths = _lengths({"use_data_lengths": use_data_lengths}, data_lengths, label_lengths)
    lattice = _lattice(xp, data, label, *lengths, blank_label)
    alpha = _forward(xp, lattice)
    log_likelihood = _log_likelihood(xp, lattice, alpha)
    possible = ~xp.isneginf(log_likelihood)
    norm = xp.where(possible, log_likelihood, 0)
    posterior = xp.exp(alpha + _backward(xp, lattice) - norm[:, None])
    grad = xp.exp(lattice.log_softmax)
    rows = xp.arange(data.shape[1])
    for place in range(lattice.labels.shape[1]):
        grad[:, rows, lattice.labels[:, place]] -= posterior[:, :, place]
    inside = (xp.arange(data.shape[0])[:, None] < lattice.steps) & possible
    return xp.where(inside[:, :, None], grad * widen(xp, dy)[:, None], 0)


@ctc_loss.gradient("data")
def _(dy: Any, data: Any, label: Any, data_lengths: Any, label_lengths: Any, attrs: Attrs) -> Any:
    lengths = [x for x in (data_lengths, label_lengths) if x is not None]
    return ctc_gradient(dy, data, label, *lengths, **attrs)


_data, _once = normal(6, 2, 5), {"_grad": ("data",), "_second_order": False}
_labels = constant([[1, 1, 3], [4, 2, 0]], integral=True)
ctc_loss.sample(data=_data, label=_labels, **_once)
ctc_loss.sample(
    data=_data,
    label=constant([[1, 0, 0], [3, -1, -1]], integral=True),
    blank_label="last",
    **_once,
)
ctc_loss.sample(
    data=_data,
    label=_labels,
    data_lengths=integers(2, low=5, high=7),
    label_lengths=integers(2, low=1, high=3),
    use_data_lengths=True,
    use_label_lengths=True,
    **_once,
)
ctc_loss.sample(
    data=_data,
    label=integers(2, 3, low=1, high=5),
    label_lengths=constant([3, 0], integral=True),
    use_label_lengths=True,
    **_once,
)
ctc_gradient.sample(dy=normal(2), data=_data, label=_labels, _second_order=False)
