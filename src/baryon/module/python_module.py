"""Modules written in Python: without parameters unless a subclass has some."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from .. import ndarray as nd
from ..initializer import Initializer, Uniform
from ..io import DataBatch, DataDesc
from ..ndarray import NDArray
from .base_module import BaseModule
from .inputs import Shapes
from .parameters import Params


class PythonModule(BaseModule):
    """Base of modules whose `forward` and `backward` are Python; by default without parameters.

    Subclasses define ``forward``, ``backward``, the getters, and ``_compute_output_shapes``.
    """

    def __init__(
        self,
        data_names: Sequence[str],
        label_names: Sequence[str] | None,
        output_names: Sequence[str],
        logger: Any = logging,
    ) -> None:
        super().__init__(logger)
        self._data_names = list(data_names)
        self._label_names = None if label_names is None else list(label_names)
        self._output_names = list(output_names)
        self._data_shapes: list[DataDesc] | None = None
        self._label_shapes: list[DataDesc] | None = None
        self._output_shapes: list[tuple[str, tuple[int, ...]]] | None = None

    @property
    def data_names(self) -> list[str]:
        """Names of the data inputs."""
        return self._data_names

    @property
    def output_names(self) -> list[str]:
        """Names of the outputs."""
        return self._output_names

    @property
    def data_shapes(self) -> list[DataDesc]:
        """Shapes of the data inputs, as given to `bind`."""
        return self._data_shapes

    @property
    def label_shapes(self) -> list[DataDesc] | None:
        """Shapes of the labels, as given to `bind`."""
        return self._label_shapes

    @property
    def output_shapes(self) -> list[tuple[str, tuple[int, ...]]]:
        """(name, shape) of each output."""
        return self._output_shapes

    def get_params(self) -> tuple[Params, Params]:
        """No parameters."""
        return {}, {}

    def init_params(
        self,
        initializer: Initializer | None = Uniform(0.01),  # noqa: B008 - MXNet's default
        arg_params: Mapping[str, NDArray] | None = None,
        aux_params: Mapping[str, NDArray] | None = None,
        allow_missing: bool = False,
        force_init: bool = False,
        allow_extra: bool = False,
    ) -> None:
        """Nothing to initialize."""
        self.params_initialized = True

    def update(self) -> None:
        """Nothing to update."""

    def update_metric(self, eval_metric: Any, labels: Any, pre_sliced: bool = False) -> None:
        """Feed a metric with labels and the outputs, for modules that take labels."""
        if self._label_shapes is None:
            return
        if pre_sliced:
            raise RuntimeError("PythonModule does not support presliced labels")
        eval_metric.update_dict(
            dict(zip((desc[0] for desc in self._label_shapes), labels or (), strict=False)),
            dict(zip(self._output_names, self.get_outputs(), strict=True)),
        )

    def bind(
        self,
        data_shapes: Shapes,
        label_shapes: Shapes | None = None,
        for_training: bool = True,
        inputs_need_grad: bool = False,
        force_rebind: bool = False,
        shared_module: BaseModule | None = None,
        grad_req: Any = "write",
    ) -> None:
        """Note the shapes."""
        if self.binded and not force_rebind:
            self.logger.warning("Already bound, ignoring bind()")
            return
        if grad_req != "write":
            raise AssertionError("Python module only support write gradient")
        self.for_training, self.inputs_need_grad = for_training, inputs_need_grad
        if sorted(d[0] for d in data_shapes) != sorted(self._data_names):
            raise AssertionError(f"data shapes {data_shapes} are not of {self._data_names}")
        self._data_shapes = list(data_shapes)
        self._label_shapes = None if label_shapes is None else list(label_shapes)
        if label_shapes is not None and len(label_shapes) != len(self._label_names or ()):
            raise AssertionError(f"label shapes {label_shapes} are not of {self._label_names}")
        self._output_shapes = self._compute_output_shapes()
        self.binded = True

    def _compute_output_shapes(self) -> list[tuple[str, tuple[int, ...]]]:
        """(name, shape) of each output from the inputs' shapes."""
        raise NotImplementedError(f"{type(self).__name__} must define _compute_output_shapes")

    def init_optimizer(
        self,
        kvstore: Any = "local",
        optimizer: Any = "sgd",
        optimizer_params: Any = (("learning_rate", 0.01),),
        force_init: bool = False,
    ) -> None:
        """Nothing to optimize."""
        self.optimizer_initialized = True


class PythonLossModule(PythonModule):
    """A loss in Python: passes scores through, and back the gradient that ``grad_func`` computes.

    grad_func : ``grad_func(scores, labels)`` gives an NDArray or numpy array. Without it a subclass
                defines ``_backward_impl``, which sets ``_scores_grad``.

    >>> loss = mx.mod.PythonLossModule(grad_func=lambda scores, labels: scores - labels)
    >>> loss.bind([("data", (2, 1))], [("softmax_label", (2, 1))])
    >>> batch = mx.io.DataBatch([mx.nd.ones((2, 1))], [mx.nd.array([[0.0], [3.0]])])
    >>> loss.forward(batch, is_train=True)
    >>> loss.backward()
    >>> loss.get_input_grads()[0].asnumpy()
    array([[ 1.],
           [-2.]], dtype=float32)
    """

    def __init__(
        self,
        name: str = "pyloss",
        data_names: Sequence[str] = ("data",),
        label_names: Sequence[str] = ("softmax_label",),
        logger: Any = logging,
        grad_func: Callable[[NDArray, NDArray], Any] | None = None,
    ) -> None:
        super().__init__(data_names, label_names, [f"{name}_output"], logger)
        if len(data_names) != 1 or len(label_names) != 1:
            raise AssertionError("a loss takes one input and one label")
        if grad_func is not None and not callable(grad_func):
            raise TypeError("grad_func must be callable")
        self._name = name
        self._grad_func = grad_func
        self._scores: NDArray | None = None
        self._labels: NDArray | None = None
        self._scores_grad: NDArray | None = None

    def _compute_output_shapes(self) -> list[tuple[str, tuple[int, ...]]]:
        return [(self._output_names[0], self._data_shapes[0][1])]

    def forward(self, data_batch: DataBatch, is_train: bool | None = None) -> None:
        """Note scores and labels."""
        self._scores = data_batch.data[0]
        if self.for_training if is_train is None else is_train:
            self._labels = data_batch.label[0]

    def get_outputs(self, merge_multi_context: bool = True) -> list[NDArray]:
        """The scores."""
        if not merge_multi_context:
            raise AssertionError("a Python loss runs on one context")
        return [self._scores]

    def backward(self, out_grads: Any = None) -> None:
        """Compute the gradient of the scores."""
        if out_grads is not None:
            raise AssertionError("For a loss module, out_grads should be None")
        if not self.for_training:
            raise AssertionError("re-bind with for_training=True to run backward")
        self._backward_impl()

    def _backward_impl(self) -> None:
        """Set ``_scores_grad`` from ``_scores`` and ``_labels``."""
        if self._grad_func is None:
            raise NotImplementedError("give grad_func, or define _backward_impl")
        grad = self._grad_func(self._scores, self._labels)
        self._scores_grad = grad if isinstance(grad, NDArray) else nd.array(np.asarray(grad))

    def get_input_grads(self, merge_multi_context: bool = True) -> list[NDArray]:
        """The gradient of the scores."""
        if not merge_multi_context:
            raise AssertionError("a Python loss runs on one context")
        return [self._scores_grad]

    def install_monitor(self, mon: Any) -> None:
        """There are no executors to see."""
        raise NotImplementedError("a Python module has no executor to monitor")
