"""What all metrics share: running sums, local and global, and how metrics are made by name."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy

from .. import registry
from ..ndarray import NDArray

Arrays = NDArray | Sequence[NDArray]


def check_label_shapes(
    labels: Any, preds: Any, wrap: bool = False, shape: bool = False
) -> tuple[Any, Any]:
    """Labels and predictions, checked to be equally many (``shape``: of equal shape).

    ``wrap`` puts single arrays into lists. Raises ValueError where they differ.

    >>> labels, preds = mx.metric.check_label_shapes(mx.nd.ones(2), mx.nd.ones(2), wrap=True)
    >>> len(labels), len(preds)
    (1, 1)
    """
    found = (labels.shape, preds.shape) if shape else (len(labels), len(preds))
    if found[0] != found[1]:
        raise ValueError(
            f"Shape of labels {found[0]} does not match shape of predictions {found[1]}"
        )
    if wrap:
        labels = [labels] if isinstance(labels, NDArray) else labels
        preds = [preds] if isinstance(preds, NDArray) else preds
    return labels, preds


def as_numpy(array: Any) -> numpy.ndarray:
    """The values of an NDArray (or of anything numpy reads) as a numpy array."""
    return array.asnumpy() if isinstance(array, NDArray) else numpy.asarray(array)


def ratio(total: float, count: float) -> float:
    """``total / count`` as a Python float; nan for nothing counted."""
    return float(total) / float(count) if count else float("nan")


class EvalMetric:
    """Base of the metrics: a sum and a count since `reset_local` and since `reset`.

    Subclasses define ``update(labels, preds)`` and add to the sums with `_add`; those with such
    global sums pass ``has_global_stats=True``. Further keyword arguments are the metric's own
    configuration, for `get_config`.

    Parameters
    ----------
    name : what `get` calls the value.
    output_names, label_names : which entries `update_dict` takes, None for all.

    >>> class Zeros(mx.metric.EvalMetric):
    ...     def update(self, labels, preds):
    ...         for pred in preds:
    ...             self.sum_metric += int((pred == 0).sum().asscalar())
    ...             self.num_inst += pred.size
    >>> metric = Zeros("zeros")
    >>> metric.update([], [mx.nd.array([0.0, 1.0])])
    >>> metric.get()
    ('zeros', 0.5)
    """

    def __init__(
        self,
        name: str,
        output_names: Sequence[str] | None = None,
        label_names: Sequence[str] | None = None,
        **kwargs: Any,
    ) -> None:
        self.name = str(name)
        self.output_names = output_names
        self.label_names = label_names
        self._has_global_stats = kwargs.pop("has_global_stats", False)
        self._kwargs = kwargs
        self.reset()

    def __str__(self) -> str:
        return f"EvalMetric: {dict(self.get_name_value())}"

    def get_config(self) -> dict[str, Any]:
        """The metric as a dict from which `create` makes it again."""
        return {
            **self._kwargs,
            "metric": type(self).__name__,
            "name": self.name,
            "output_names": self.output_names,
            "label_names": self.label_names,
        }

    def update_dict(self, label: Mapping[str, Any], pred: Mapping[str, Any]) -> None:
        """`update` with the arrays that ``label_names`` and ``output_names`` select."""
        self.update(_select(label, self.label_names), _select(pred, self.output_names))

    def update(self, labels: Any, preds: Any) -> None:
        """Take in one batch: lists of label and prediction arrays."""
        raise NotImplementedError(f"{type(self).__name__} must define update")

    def _add(self, total: float, count: float) -> None:
        """Add to the local and global sums."""
        self.sum_metric += total
        self.num_inst += count
        self.global_sum_metric += total
        self.global_num_inst += count

    def reset(self) -> None:
        """Forget everything."""
        self.global_num_inst = 0
        self.global_sum_metric = 0.0
        EvalMetric.reset_local(self)

    def reset_local(self) -> None:
        """Forget what came since the last call, but keep the global sums."""
        self.num_inst = 0
        self.sum_metric = 0.0

    def get(self) -> tuple[Any, Any]:
        """``(name, value)``: a Python float, nan before the first update."""
        return (self.name, ratio(self.sum_metric, self.num_inst))

    def get_global(self) -> tuple[Any, Any]:
        """``(name, value)`` since `reset` (the local value for metrics without global sums)."""
        if not self._has_global_stats:
            return self.get()
        return (self.name, ratio(self.global_sum_metric, self.global_num_inst))

    def get_name_value(self) -> list[tuple[str, float]]:
        """`get` as a list of pairs."""
        return _pairs(*self.get())

    def get_global_name_value(self) -> list[tuple[str, float]]:
        """`get_global` as a list of pairs."""
        return _pairs(*self.get_global()) if self._has_global_stats else self.get_name_value()


def _select(arrays: Mapping[str, Any], names: Sequence[str] | None) -> list:
    return list(arrays.values()) if names is None else [arrays[name] for name in names]


def _pairs(names: Any, values: Any) -> list[tuple[str, float]]:
    names = names if isinstance(names, list) else [names]
    values = values if isinstance(values, list) else [values]
    return list(zip(names, values, strict=True))


register = registry.get_register_func(EvalMetric, "metric")
alias = registry.get_alias_func(EvalMetric, "metric")
_create = registry.get_create_func(EvalMetric, "metric")


def create(metric: Any, *args: Any, **kwargs: Any) -> EvalMetric:
    """A metric from a name, a function ``f(label, pred)``, a list of these, or a metric.

    >>> mx.metric.create(["acc", "ce"]).get()
    (['accuracy', 'cross-entropy'], [nan, nan])
    """
    if callable(metric):
        return CustomMetric(metric, *args, **kwargs)
    if isinstance(metric, list):
        composite = CompositeEvalMetric()
        for each in metric:
            composite.add(create(each, *args, **kwargs))
        return composite
    return _create(metric, *args, **kwargs)


@register
@alias("composite")
class CompositeEvalMetric(EvalMetric):
    """Several metrics fed with the same batches; names and values are lists.

    >>> metric = mx.metric.CompositeEvalMetric([mx.metric.MAE(), mx.metric.MSE()])
    >>> metric.update([mx.nd.array([1.0])], [mx.nd.array([3.0])])
    >>> metric.get()
    (['mae', 'mse'], [2.0, 4.0])
    """

    def __init__(
        self,
        metrics: Sequence[Any] | None = None,
        name: str = "composite",
        output_names: Sequence[str] | None = None,
        label_names: Sequence[str] | None = None,
    ) -> None:
        self.metrics: list[EvalMetric] = []
        super().__init__(name, output_names, label_names, has_global_stats=True)
        self.metrics = [create(metric) for metric in metrics or []]

    def add(self, metric: Any) -> None:
        """Append a metric, or what `create` makes one from."""
        self.metrics.append(create(metric))

    def get_metric(self, index: int) -> EvalMetric:
        """The metric at an index; ValueError out of range."""
        if not 0 <= index < len(self.metrics):
            raise ValueError(f"Metric index {index} is out of range 0 and {len(self.metrics)}")
        return self.metrics[index]

    def update_dict(self, labels: Mapping[str, Any], preds: Mapping[str, Any]) -> None:
        """`EvalMetric.update_dict` of each metric, on what this one's own names leave."""
        if self.label_names is not None:
            labels = {n: a for n, a in labels.items() if n in self.label_names}
        if self.output_names is not None:
            preds = {n: a for n, a in preds.items() if n in self.output_names}
        for metric in self.metrics:
            metric.update_dict(labels, preds)

    def update(self, labels: Any, preds: Any) -> None:
        """Take in one batch."""
        for metric in self.metrics:
            metric.update(labels, preds)

    def reset(self) -> None:
        """Begin again."""
        for metric in self.metrics:
            metric.reset()

    def reset_local(self) -> None:
        """Begin the local value again."""
        for metric in self.metrics:
            metric.reset_local()

    def get(self) -> tuple[list[str], list[float]]:
        """``(name, value)`` of the local value."""
        return _flat(metric.get_name_value() for metric in self.metrics)

    def get_global(self) -> tuple[list[str], list[float]]:
        """``(name, value)`` since `reset`."""
        return _flat(metric.get_global_name_value() for metric in self.metrics)

    def get_config(self) -> dict[str, Any]:
        """The metric as a dict from which `create` makes it again."""
        return {**super().get_config(), "metrics": [m.get_config() for m in self.metrics]}


def _flat(groups: Any) -> tuple[list[str], list[float]]:
    pairs = [pair for group in groups for pair in group]
    return [name for name, _ in pairs], [value for _, value in pairs]


@register
class CustomMetric(EvalMetric):
    """A metric from a function ``feval(label, pred)`` of numpy arrays.

    It returns the batch's value, or ``(sum, count)``. ``allow_extra_outputs`` lets there be more
    predictions than labels.

    >>> metric = mx.metric.CustomMetric(lambda label, pred: abs(label - pred).max(), name="worst")
    >>> metric.update([mx.nd.array([1.0, 2.0])], [mx.nd.array([1.0, 4.0])])
    >>> float(metric.get()[1])
    2.0
    """

    def __init__(
        self,
        feval: Callable[[numpy.ndarray, numpy.ndarray], Any],
        name: str | None = None,
        allow_extra_outputs: bool = False,
        output_names: Sequence[str] | None = None,
        label_names: Sequence[str] | None = None,
    ) -> None:
        if name is None:
            name = getattr(feval, "__name__", type(feval).__name__)
            name = f"custom({name})" if "<" in name else name
        self._feval = feval
        self._allow_extra_outputs = allow_extra_outputs
        super().__init__(name, output_names, label_names, has_global_stats=True)

    def update(self, labels: Any, preds: Any) -> None:
        """Take in one batch."""
        if not self._allow_extra_outputs:
            labels, preds = check_label_shapes(labels, preds, wrap=True)
        for label, pred in zip(labels, preds, strict=False):
            value = self._feval(as_numpy(label), as_numpy(pred))
            total, count = value if isinstance(value, tuple) else (value, 1)
            self._add(total, count)

    def get_config(self) -> dict[str, Any]:
        """The metric as a dict from which `create` makes it again."""
        raise NotImplementedError("CustomMetric cannot be serialized")


def np(
    numpy_feval: Callable[[numpy.ndarray, numpy.ndarray], Any],
    name: str | None = None,
    allow_extra_outputs: bool = False,
) -> CustomMetric:
    """`CustomMetric` named after its function.

    >>> metric = mx.metric.np(lambda label, pred: float(abs(label - pred).max()), name="worst")
    >>> metric.update([mx.nd.array([1.0, 2.0])], [mx.nd.array([1.0, 4.0])])
    >>> metric.get()
    ('worst', 2.0)
    """

    def feval(label: numpy.ndarray, pred: numpy.ndarray) -> Any:
        return numpy_feval(label, pred)

    feval.__name__ = numpy_feval.__name__
    return CustomMetric(feval, name, allow_extra_outputs)


@register
class Loss(EvalMetric):
    """The mean of the outputs themselves, for networks that output their loss.

    >>> metric = mx.metric.Loss()
    >>> metric.update(None, [mx.nd.array([1.0, 3.0])])
    >>> metric.get()
    ('loss', 2.0)
    """

    def __init__(
        self,
        name: str = "loss",
        output_names: Sequence[str] | None = None,
        label_names: Sequence[str] | None = None,
    ) -> None:
        super().__init__(name, output_names, label_names, has_global_stats=True)

    def update(self, _: Any, preds: Any) -> None:
        """Take in one batch."""
        for pred in [preds] if isinstance(preds, NDArray) else preds:
            values = as_numpy(pred)
            self._add(float(values.sum(dtype="float64")), values.size)


@register
class Torch(Loss):
    """`Loss` under the name that Torch criterions had."""

    def __init__(
        self,
        name: str = "torch",
        output_names: Sequence[str] | None = None,
        label_names: Sequence[str] | None = None,
    ) -> None:
        super().__init__(name, output_names, label_names)


@register
class Caffe(Loss):
    """`Loss` under the name that Caffe criterions had."""

    def __init__(
        self,
        name: str = "caffe",
        output_names: Sequence[str] | None = None,
        label_names: Sequence[str] | None = None,
    ) -> None:
        super().__init__(name, output_names, label_names)
