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
    """Mean absolute error, averaged over batches.

    >>> metric = mx.metric.MAE()
    >>> metric.update([mx.nd.array([1.0, 2.0])], [mx.nd.array([1.0, 4.0])])
    >>> metric.get()
    ('mae', 1.0)
    """

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
    """Root of the mean squared error of each batch, averaged over batches.

    >>> metric = mx.metric.RMSE()
    >>> metric.update([mx.nd.array([1.0, 2.0])], [mx.nd.array([3.0, 4.0])])
    >>> metric.get()
    ('rmse', 2.0)
    """

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
    """Pearson's correlation: mean over batches, or with ``average="micro"`` over all samples.

    >>> metric = mx.metric.PearsonCorrelation()
    >>> metric.update([mx.nd.array([1.0, 2.0, 3.0])], [mx.nd.array([2.0, 4.0, 6.0])])
    >>> round(metric.get()[1], 4)
    1.0
    """

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
        self._spreads = numpy.zeros(2)  # sums of squared deviations
        self._comoment = 0.0  # sum of products of deviations

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

    def update_variance(
        self, new_values: numpy.ndarray, count: int, mean: Any, m_2: Any
    ) -> tuple[int, Any, Any]:
        """Count, mean and sum of squared deviations with more values (Chan, Golub and LeVeque
        1979).

        >>> metric = mx.metric.PearsonCorrelation(average="micro")
        >>> count, mean, spread = metric.update_variance(np.array([1.0, 3.0]), 2, 4.0, 2.0)
        >>> count, float(mean), float(spread)
        (4, 3.0, 8.0)
        """
        added = numpy.size(new_values)
        total = count + added
        shift = numpy.mean(new_values) - mean
        within = ((new_values - numpy.mean(new_values)) ** 2).sum()
        between = shift**2 * (count * added / total)
        return total, mean + shift * (added / total), m_2 + within + between

    def update_cov(self, label: numpy.ndarray, pred: numpy.ndarray) -> None:
        """Take in the co-moment of a batch; call it before the batch's `update_variance`."""
        added = numpy.size(label)
        shifts = numpy.array([numpy.mean(label), numpy.mean(pred)]) - self._means
        within = ((label - numpy.mean(label)) * (pred - numpy.mean(pred))).sum()
        self._comoment += within + shifts.prod() * (self._count * added / (self._count + added))

    def _merge(self, pair: numpy.ndarray) -> None:
        """Add a batch to the running moments."""
        self.update_cov(*pair)
        new = [
            self.update_variance(x, self._count, m, s)
            for x, m, s in zip(pair, self._means, self._spreads, strict=True)
        ]
        self._count = new[0][0]
        self._means = numpy.array([m for _, m, _ in new])
        self._spreads = numpy.array([s for _, _, s in new])

    def get(self) -> tuple[str, float]:
        """``(name, value)`` of the local value."""
        if self.average == "macro":
            return (self.name, ratio(self.sum_metric, self.num_inst))
        if self.num_inst == 0:
            return (self.name, float("nan"))
        return (self.name, ratio(self._comoment, numpy.sqrt(self._spreads.prod())))

    def get_global(self) -> tuple[str, float]:
        """``(name, value)`` since `reset`."""
        return super().get_global() if self.average == "macro" else self.get()
