"""Metrics computed from the counts of a confusion matrix: F1, MCC and its many-class form PCC."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import sqrt
from typing import Any

import numpy

from .base import EvalMetric, as_numpy, check_label_shapes, ratio, register

Names = Sequence[str] | None


def binary_counts(label: Any, pred: Any) -> numpy.ndarray:
    """The 2x2 table ``[truth, guess]`` of one batch of two-class scores."""
    scores, truth = as_numpy(pred), as_numpy(label).astype("int32").ravel()
    if scores.ndim < 2:
        raise ValueError(f"predictions must be scores by class, got shape {scores.shape}")
    guess = scores.argmax(axis=1).ravel()
    check_label_shapes(truth, guess)
    if len(numpy.unique(truth)) > 2 or not numpy.isin(truth, (0, 1)).all():
        raise ValueError("binary metrics currently only support labels 0 and 1")
    if not numpy.isin(guess, (0, 1)).all():
        raise ValueError("binary metrics need predictions of two classes")
    return numpy.bincount(2 * truth + guess, minlength=4).reshape(2, 2).astype("float64")


def f1_score(table: numpy.ndarray) -> float:
    """Harmonic mean of precision and recall of class 1; 0 where neither is defined."""
    hits, wrong = table[1, 1], table[0, 1] + table[1, 0]
    return float(2 * hits / (2 * hits + wrong)) if hits else 0.0


def matthews(table: numpy.ndarray) -> float:
    """Matthews' correlation; a margin of zero counts as one."""
    (true_neg, false_pos), (false_neg, true_pos) = table
    if not table.any():
        return 0.0
    margins = [
        true_pos + false_pos,
        true_pos + false_neg,
        true_neg + false_pos,
        true_neg + false_neg,
    ]
    size = sqrt(numpy.prod([margin or 1.0 for margin in margins]))
    return float((true_pos * true_neg - false_pos * false_neg) / size)


class _Binary(EvalMetric):
    """A score of a 2x2 table, per batch (``macro``) or over all samples (``micro``)."""

    score: Callable[[numpy.ndarray], float]

    def __init__(self, name: str, output_names: Names, label_names: Names, average: str) -> None:
        self.average = average
        super().__init__(name, output_names, label_names, has_global_stats=True)

    def update(self, labels: Any, preds: Any) -> None:
        labels, preds = check_label_shapes(labels, preds, wrap=True)
        table = sum(binary_counts(x, y) for x, y in zip(labels, preds, strict=True))
        if self.average == "macro":
            self._add(type(self).score(table), 1)
            return
        self._table = self._table + table
        self._global_table = self._global_table + table
        self.num_inst = int(self._table.sum())
        self.sum_metric = type(self).score(self._table) * self.num_inst
        self.global_num_inst = int(self._global_table.sum())
        self.global_sum_metric = type(self).score(self._global_table) * self.global_num_inst

    def reset(self) -> None:
        self._global_table = numpy.zeros((2, 2))
        super().reset()
        self.reset_local()

    def reset_local(self) -> None:
        self._table = numpy.zeros((2, 2))
        super().reset_local()


@register
class F1(_Binary):
    """F1 score of class 1 in a two-class problem: mean over batches, or ``average="micro"``.

    >>> metric = mx.metric.F1()
    >>> scores = mx.nd.array([[0.3, 0.7], [0.0, 1.0], [0.4, 0.6]])
    >>> metric.update([mx.nd.array([0.0, 1.0, 1.0])], [scores])
    >>> metric.get()
    ('f1', 0.8)
    """

    score = staticmethod(f1_score)

    def __init__(
        self,
        name: str = "f1",
        output_names: Names = None,
        label_names: Names = None,
        average: str = "macro",
    ) -> None:
        super().__init__(name, output_names, label_names, average)


@register
class MCC(_Binary):
    """Matthews' correlation coefficient of a two-class problem (Matthews 1975).

    >>> metric = mx.metric.MCC()
    >>> scores = mx.nd.array([[0.3, 0.7], [0.0, 1.0], [0.4, 0.6]])
    >>> metric.update([mx.nd.array([0.0, 1.0, 1.0])], [scores])
    >>> metric.get()
    ('mcc', 0.0)
    """

    score = staticmethod(matthews)

    def __init__(
        self,
        name: str = "mcc",
        output_names: Names = None,
        label_names: Names = None,
        average: str = "macro",
    ) -> None:
        super().__init__(name, output_names, label_names, average)


@register
class PCC(EvalMetric):
    """Matthews' correlation for any number of classes (Gorodkin 2004), over all samples so far.

    >>> metric = mx.metric.PCC()
    >>> scores = mx.nd.array([[0.8, 0.1, 0.1], [0.1, 0.8, 0.1], [0.1, 0.1, 0.8]])
    >>> metric.update([mx.nd.array([0, 1, 2])], [scores])
    >>> metric.get()
    ('pcc', 1.0)
    """

    def __init__(
        self,
        name: str = "pcc",
        output_names: Names = None,
        label_names: Names = None,
        has_global_stats: bool = True,
    ) -> None:
        super().__init__(name, output_names, label_names, has_global_stats=has_global_stats)

    def update(self, labels: Any, preds: Any) -> None:
        """Take in one batch."""
        labels, preds = check_label_shapes(labels, preds, wrap=True)
        for label, pred in zip(labels, preds, strict=True):
            scores, truth = as_numpy(pred), as_numpy(label).astype("int64").ravel()
            guess = scores if scores.shape == truth.shape else scores.argmax(axis=1)
            guess = guess.astype("int64").ravel()
            check_label_shapes(truth, guess)
            if truth.size and min(truth.min(), guess.min()) < 0:
                raise ValueError("class labels must not be negative")
            self._table = _counted(self._table, truth, guess)
            self._global_table = _counted(self._global_table, truth, guess)
        self.num_inst += 1
        self.global_num_inst += 1

    # The sums follow from the tables, so that the base class divides them as any others.
    @property
    def sum_metric(self) -> float:
        """The local correlation times the number of updates."""
        return _correlation(self._table) * self.num_inst

    @property
    def global_sum_metric(self) -> float:
        """The global correlation times the number of updates."""
        return _correlation(self._global_table) * self.global_num_inst

    def reset(self) -> None:
        """Begin again."""
        self.global_num_inst = 0
        self._global_table = numpy.zeros((2, 2))
        self.reset_local()

    def reset_local(self) -> None:
        """Begin the local value again."""
        self.num_inst = 0
        self._table = numpy.zeros((2, 2))

    def get(self) -> tuple[str, float]:
        """``(name, value)`` of the local value."""
        return (self.name, ratio(self.sum_metric, self.num_inst))


def _counted(table: numpy.ndarray, truth: numpy.ndarray, guess: numpy.ndarray) -> numpy.ndarray:
    """The table with a batch added, grown to the classes seen."""
    size = max(len(table), int(max(truth.max(initial=0), guess.max(initial=0))) + 1)
    grown = numpy.zeros((size, size))
    grown[: len(table), : len(table)] = table
    numpy.add.at(grown, (truth, guess), 1.0)
    return grown


def _correlation(table: numpy.ndarray) -> float:
    """Gorodkin's R_K of a confusion matrix; 0 where a side has no variance... see `ratio`."""
    total = table.sum()
    truths, guesses = table.sum(axis=1), table.sum(axis=0)
    covariance = table.trace() * total - (truths * guesses).sum()
    spread = (total**2 - (truths**2).sum()) * (total**2 - (guesses**2).sum())
    return float(covariance / sqrt(spread)) if spread else float("nan")
