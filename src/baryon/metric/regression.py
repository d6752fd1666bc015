"""Metrics of regression: errors and correlation."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy

from .base import EvalMetric, alias, as_numpy, check_label_shapes, ratio, register

Names = Sequence[str] | None


class _BatchMean(EvalMetric):
    """The mean over batches of an error of each batch."""

    def __init__(self, name: str, output_names: Names, label_names: Names) -> None:
        super().__init__(name, output_names, label_names, has_global_stats=True)

    @staticmethod
    def error(difference: numpy.ndarray) -> float:
        """The error of a batch from ``label - pred``."""
        raise NotImplementedError

    def update(self, labels: Any, preds: Any) -> None:
        labels, preds = check_label_shapes(labels, preds, wrap=True)
        for label, pred in zip(labels, preds, strict=True):
            truth, guess = (_column(as_numpy(x)) for x in (label, pred))
            self._add(float(self.error(truth - guess)), 1)


def _column(values: numpy.ndarray) -> numpy.ndarray:
    return values.reshape(-1, 1) if values.ndim == 1 else values


@register
class MAE(_BatchMean):
    """Mean absolute error, averaged over batches."""

    def __init__(
        self, name: str = "mae", output_names: Names = None, label_names: Names = None
    ) -> None:
        super().__init__(name, output_names, label_names)

    @staticmethod
    def error(difference: numpy.ndarray) -> float:
        """The error of a batch from ``label - pred``."""
        return numpy.abs(difference).mean()


@register
class MSE(_BatchMean):
    """Mean squared error, averaged over batches.

    >>> metric = mx.metric.MSE()
    >>> metric.update([mx.nd.array([1.0, 2.0])], [mx.nd.array([1.0, 4.0])])
    >>> metric.get()
    ('mse', 2.0)
    """

    def __init__(
        self, name: str = "mse", output_names: Names = None, label_names: Names = None
    ) -> None:
        super().__init__(name, output_names, label_names)

    @staticmethod
    def error(difference: numpy.ndarray) -> float:
        """The error of a batch from ``label - pred``."""
        return (difference**2).mean()


@register
class RMSE(_BatchMean):
    """Root of the mean squared error of each batch, averaged over batches."""

    def __init__(
        self, name: str = "rmse", output_names: Names = None, label_names: Names = None
    ) -> None:
        super().__init__(name, output_names, label_names)

    @staticmethod
    def error(difference: numpy.ndarray) -> float:
        """The error of a batch from ``label - pred``."""
        return numpy.sqrt((difference**2).mean())


@register
@alias("pearsonr")
class PearsonCorrelation(EvalMetric):
    """Pearson's correlation: mean over batches, or with ``average="micro"`` over all samples."""

    def __init__(
        self,
        name: str = "pearsonr",
        output_names: Names = None,
        label_names: Names = None,
        average: str = "macro",
    ) -> None:
        self.average = average
        super().__init__(name, output_names, label_names, has_global_stats=True)
        self.reset_micro()

    def reset_micro(self) -> None:
        """Forget the running moments of the micro average."""
        self._count = 0
        self._means = numpy.zeros(2)
        self._moments = numpy.zeros((2, 2))  # sums of products of deviations

    def reset(self) -> None:
        """Begin again."""
        super().reset()
        self.reset_micro()

    def update(self, labels: Any, preds: Any) -> None:
        """Take in one batch."""
        labels, preds = check_label_shapes(labels, preds, wrap=True)
        for label, pred in zip(labels, preds, strict=True):
            check_label_shapes(label, pred, shape=True)
            pair = numpy.stack([as_numpy(x).ravel().astype("float64") for x in (label, pred)])
            if self.average == "macro":
                self._add(float(numpy.corrcoef(pair)[0, 1]), 1)
            else:
                self._merge(pair)
                self.num_inst += 1
                self.global_num_inst += 1

    def _merge(self, pair: numpy.ndarray) -> None:
        """Add a batch to the running moments (Chan, Golub and LeVeque 1979)."""
        count = pair.shape[1]
        means = pair.mean(axis=1)
        centred = pair - means[:, None]
        shift = means - self._means
        total = self._count + count
        cross = numpy.outer(shift, shift) * (self._count * count / total)
        self._moments = self._moments + centred @ centred.T + cross
        self._means = self._means + shift * (count / total)
        self._count = total

    def get(self) -> tuple[str, float]:
        """``(name, value)`` of the local value."""
        if self.average == "macro":
            return (self.name, ratio(self.sum_metric, self.num_inst))
        if self.num_inst == 0:
            return (self.name, float("nan"))
        spread = numpy.sqrt(self._moments[0, 0] * self._moments[1, 1])
        return (self.name, ratio(self._moments[0, 1], spread))

    def get_global(self) -> tuple[str, float]:
        """``(name, value)`` since `reset`."""
        return super().get_global() if self.average == "macro" else self.get()
