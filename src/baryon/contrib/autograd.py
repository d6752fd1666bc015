"""The older interface of autograd, kept for programs that use it; see ``mx.autograd``."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from .. import autograd
from ..autograd import mark_variables
from ..ndarray import NDArray, zeros_like

__all__ = [
    "TrainingStateScope",
    "backward",
    "compute_gradient",
    "grad",
    "grad_and_loss",
    "mark_variables",
    "set_is_training",
    "test_section",
    "train_section",
]


def set_is_training(is_train: bool) -> bool:
    """Switch training mode and recording together; whether it was training before.

    >>> mx.contrib.autograd.set_is_training(True), mx.contrib.autograd.set_is_training(False)
    (False, True)
    """
    autograd.set_recording(is_train)
    return autograd.set_training(is_train)


class TrainingStateScope:
    """A scope in which calls are in training mode and recorded, or neither.

    >>> with mx.contrib.autograd.TrainingStateScope(True):
    ...     mx.autograd.is_training(), mx.autograd.is_recording()
    (True, True)
    """

    def __init__(self, enter_state: bool) -> None:
        self._enter_state = enter_state
        self._before = (False, False)

    def __enter__(self) -> None:
        self._before = autograd.is_training(), autograd.is_recording()
        set_is_training(self._enter_state)

    def __exit__(self, ptype: Any, value: Any, trace: Any) -> None:
        training, recording = self._before
        autograd.set_training(training)
        autograd.set_recording(recording)


def train_section() -> TrainingStateScope:
    """The scope of code that is trained."""
    return TrainingStateScope(True)


def test_section() -> TrainingStateScope:
    """The scope, within one of training, of code that predicts."""
    return TrainingStateScope(False)


def backward(
    outputs: Sequence[NDArray],
    out_grads: Sequence[NDArray | None] | None = None,
    retain_graph: bool = False,
) -> None:
    """Compute the gradients of marked variables."""
    if isinstance(outputs, NDArray):
        raise TypeError("outputs must be a list or tuple of NDArrays")
    autograd.backward(outputs, out_grads, retain_graph)


def compute_gradient(outputs: Sequence[NDArray]) -> None:
    """`backward` with gradients of one."""
    backward(outputs)


def grad_and_loss(
    func: Callable[..., Any], argnum: int | Sequence[int] | None = None
) -> Callable[..., tuple[list[NDArray], Any]]:
    """A function of the arguments of `func` that gives the gradients by them, and its value.

    argnum : which of the arguments, by number (all where None).

    >>> x = mx.nd.array([1.0, 2.0])
    >>> gradients, value = mx.contrib.autograd.grad_and_loss(lambda x: x * x)(x)
    >>> print(gradients[0].asnumpy(), value.asnumpy())
    [2. 4.] [1. 4.]
    """

    def wrapped(*args: Any) -> tuple[list[NDArray], Any]:
        numbers = range(len(args)) if argnum is None else argnum
        numbers = [numbers] if isinstance(numbers, int) else numbers
        variables = [args[i] for i in numbers]
        for x in variables:
            if not isinstance(x, NDArray):
                raise TypeError(f"arguments must be NDArrays, got {type(x).__name__}")
        grads = [zeros_like(x) for x in variables]
        mark_variables(variables, grads)
        with train_section():
            outputs = func(*args)
        compute_gradient([outputs] if isinstance(outputs, NDArray) else outputs)
        return grads, outputs

    return wrapped


def grad(
    func: Callable[..., Any], argnum: int | Sequence[int] | None = None
) -> Callable[..., list[NDArray]]:
    """A function of the arguments of `func` that gives the gradients by them.

    >>> slope = mx.contrib.autograd.grad(lambda x: x * x)
    >>> slope(mx.nd.array([3.0]))[0].asnumpy()
    array([6.], dtype=float32)
    """
    both = grad_and_loss(func, argnum)

    def wrapped(*args: Any) -> list[NDArray]:
        return both(*args)[0]

    return wrapped
