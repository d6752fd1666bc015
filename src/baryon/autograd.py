"""Automatic differentiation of eager code: record calls on a tape, then walk it backward."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ContextDecorator
from typing import Any

import numpy as np

from . import state
from .backward import compute_gradients, write_gradients
from .base import MXCallbackList, MXNetError, _as_list
from .graph.function import record_function
from .graph.tape import Leaf, TapeGraph
from .ndarray import NDArray, zeros_like
from .ndarray.blocked import settle
from .ndarray.np_ndarray import ndarray
from .ops.op import Spec
from .ops.stored import dense
from .state import is_recording, is_training

__all__ = [
    "Function",
    "MXCallbackList",
    "backward",
    "get_symbol",
    "grad",
    "is_recording",
    "is_training",
    "mark_variables",
    "pause",
    "predict_mode",
    "record",
    "set_recording",
    "set_training",
    "train_mode",
]


def set_recording(is_recording: bool) -> bool:
    """Start or stop recording; whether it was on before.

    >>> mx.autograd.set_recording(True), mx.autograd.set_recording(False)
    (False, True)
    """
    settle()
    return state.set_recording(is_recording)


def set_training(train_mode: bool) -> bool:
    """Switch between training and predicting; whether it was training before.

    >>> mx.autograd.set_training(True), mx.autograd.set_training(False)
    (False, True)
    """
    return state.set_training(train_mode)


class _Scope(ContextDecorator):
    """Set recording and/or training inside a ``with`` block (None: leave as it is)."""

    def __init__(self, recording: bool | None, training: bool | None) -> None:
        self._wanted = (recording, training)
        self._before: list[tuple] = []

    def __enter__(self) -> None:
        settle()
        recording, training = self._wanted
        self._before.append((state.is_recording(), state.is_training()))
        if recording is not None:
            state.set_recording(recording)
        if training is not None:
            state.set_training(training)

    def __exit__(self, *error: Any) -> None:
        settle()
        recording, training = self._before.pop()
        state.set_recording(recording)
        state.set_training(training)


def record(train_mode: bool = True) -> _Scope:
    """Scope in which calls are recorded for `backward`.

    >>> x = mx.nd.array([1.0, 2.0]); x.attach_grad()
    >>> with mx.autograd.record():
    ...     y = (x * x).sum()
    >>> y.backward(); x.grad.asnumpy()
    array([2., 4.], dtype=float32)
    """
    return _Scope(True, train_mode)


def pause(train_mode: bool = False) -> _Scope:
    """Scope in which nothing is recorded.

    >>> with mx.autograd.record(), mx.autograd.pause():
    ...     mx.autograd.is_recording()
    False
    """
    return _Scope(False, train_mode)


def train_mode() -> _Scope:
    """Scope in which layers such as Dropout behave as in training, recorded or not.

    >>> with mx.autograd.train_mode():
    ...     mx.autograd.is_training()
    True
    """
    return _Scope(None, True)


def predict_mode() -> _Scope:
    """Scope in which layers such as Dropout behave as in inference, recorded or not.

    >>> with mx.autograd.record(), mx.autograd.predict_mode():
    ...     mx.autograd.is_training()
    False
    """
    return _Scope(None, False)


_REQS = ("write", "add", "null")


def mark_variables(
    variables: NDArray | Sequence[NDArray],
    gradients: NDArray | Sequence[NDArray],
    grad_reqs: str | Sequence[str] = "write",
) -> None:
    """Make arrays variables of the tape, with the arrays that take their gradients.

    grad_reqs : ``"write"``, ``"add"`` or ``"null"``, one for all or one each.

    >>> x, dx = mx.nd.array([3.0]), mx.nd.zeros((1,))
    >>> mx.autograd.mark_variables([x], [dx])
    >>> with mx.autograd.record():
    ...     y = x * x
    >>> y.backward()
    >>> dx.asnumpy()
    array([6.], dtype=float32)
    """
    variables, gradients = _as_list(variables), _as_list(gradients)
    reqs = [grad_reqs] * len(variables) if isinstance(grad_reqs, str) else list(grad_reqs)
    if not len(variables) == len(gradients) == len(reqs):
        raise ValueError("variables, gradients and grad_reqs differ in length")
    for x, g, req in zip(variables, gradients, reqs, strict=True):
        if req not in _REQS:
            raise ValueError(f"grad_req must be one of {', '.join(_REQS)}, got {req!r}")
        if req != "null" and (x.shape, x.dtype) != (g.shape, g.dtype):
            raise MXNetError(
                f"the gradient of an array of shape {x.shape} and dtype {x.dtype.__name__} "
                f"cannot have shape {g.shape} and dtype {g.dtype.__name__}"
            )
        x._grad = None if req == "null" else g
        x._node = None if req == "null" else Leaf(_spec(x), g, req)
        x._index = 0


def _spec(x: NDArray) -> Spec:
    return Spec(x._data.shape, x._data.dtype)


def _heads(heads: Any, head_grads: Any) -> tuple[list[NDArray], list[NDArray | None]]:
    """Heads and their gradients as lists; MXNetError if one is not on the tape or does not fit."""
    heads = list(_as_list(heads))
    grads = [None] * len(heads) if head_grads is None else list(_as_list(head_grads))
    if len(grads) != len(heads):
        raise MXNetError(f"backward: {len(heads)} heads but {len(grads)} head gradients")
    for h, g in zip(heads, grads, strict=True):
        if h._node is None:
            raise MXNetError(
                "backward: the array was not computed under autograd.record() from an array "
                "with attach_grad(), so there is nothing to differentiate"
            )
        if g is not None and g.shape != h.shape:
            raise MXNetError(f"backward: head gradient has shape {g.shape}, expected {h.shape}")
    return heads, grads


def backward(
    heads: NDArray | Sequence[NDArray],
    head_grads: NDArray | Sequence[NDArray | None] | None = None,
    retain_graph: bool = False,
    train_mode: bool = True,
) -> None:
    """Compute the gradients of `heads` into the ``grad`` of every marked array they depend on.

    head_grads   : gradients of the heads, ones where None.
    retain_graph : keep the tape for another backward pass.
    train_mode   : mode that user-defined backward functions see; operators differentiate the
                   forward pass in the mode in which it was recorded.

    >>> x = mx.nd.array([3.0])
    >>> x.attach_grad()
    >>> with mx.autograd.record():
    ...     y, z = x * x, 2 * x
    >>> mx.autograd.backward([y, z])  # of their sum
    >>> x.grad.asnumpy()
    array([8.], dtype=float32)
    """
    heads, head_grads = _heads(heads, head_grads)
    with _Scope(False, train_mode):
        write_gradients(heads, head_grads, retain_graph)


def grad(
    heads: NDArray | Sequence[NDArray],
    variables: NDArray | Sequence[NDArray],
    head_grads: NDArray | Sequence[NDArray | None] | None = None,
    retain_graph: bool | None = None,
    create_graph: bool = False,
    train_mode: bool = True,
) -> list[NDArray]:
    """Gradients of `heads` with respect to `variables`: a list of new arrays, one a variable.

    A single variable gives a list of one, as in MXNet.

    create_graph : record the computation, so that the gradients can be differentiated again.

    >>> x = mx.nd.array([2.0]); x.attach_grad()
    >>> with mx.autograd.record():
    ...     (dy,) = mx.autograd.grad(x ** 3, x, create_graph=True)
    >>> dy.backward(); x.grad.asnumpy()
    array([12.], dtype=float32)
    """
    heads, head_grads = _heads(heads, head_grads)
    wanted = _as_list(variables)
    if not wanted:
        raise ValueError("grad: no variables given")
    for x in wanted:
        if x._node is None:
            raise MXNetError("grad: a variable is not on the tape; call attach_grad() on it first")
    retain = create_graph if retain_graph is None else retain_graph
    with _Scope(create_graph, train_mode):
        results = compute_gradients(heads, head_grads, wanted, retain, create_graph)
    return [zeros_like(x) if g is None else g for x, g in zip(wanted, results, strict=True)]


def __getattr__(name: str) -> Any:
    """`Symbol`, which MXNet has here too, comes from a room that imports this one."""
    if name == "Symbol":
        from .symbol import Symbol

        return Symbol
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def get_symbol(x: NDArray) -> Any:
    """The recorded computation of `x` as a Symbol; marked arrays become its variables.

    >>> x = mx.nd.array([3.0])
    >>> x.attach_grad()
    >>> with mx.autograd.record():
    ...     y = mx.nd.relu(x)
    >>> len(mx.autograd.get_symbol(y).list_arguments())
    1
    """
    from .symbol import Symbol

    if x._node is None:
        raise MXNetError("get_symbol: the array was not computed under autograd.record()")
    return Symbol(TapeGraph([(x._node, x._index)], inline=True).heads)


class Function:
    """A differentiable function of your own: subclass, define `forward` and `backward`.

    Both take and return NDArrays, `backward` one gradient for each input of `forward`. An instance
    serves one call.

    >>> class Double(mx.autograd.Function):
    ...     def forward(self, x):
    ...         return 2 * x
    ...     def backward(self, dy):
    ...         return 2 * dy
    >>> x = mx.nd.array([3.0]); x.attach_grad()
    >>> with mx.autograd.record():
    ...     y = Double()(x)
    >>> y.backward(); x.grad.asnumpy()
    array([2.], dtype=float32)
    """

    def __init__(self) -> None:
        self._used = False
        self._kind: type[NDArray] = NDArray
        self.saved_tensors: tuple[Any, ...] = ()

    def save_for_backward(self, *args: Any) -> None:
        """Keep arrays for `backward`, which finds them in ``self.saved_tensors``."""
        self.saved_tensors = args

    def forward(self, *inputs: NDArray) -> Any:
        """Compute the outputs."""
        raise NotImplementedError("subclasses of Function define forward")

    def backward(self, *output_grads: NDArray) -> Any:
        """Gradients of the inputs from gradients of the outputs."""
        raise NotImplementedError("subclasses of Function define backward")

    def __call__(self, *inputs: NDArray) -> Any:
        """Run `forward` and put it on the tape."""
        if self._used:
            raise MXNetError("an instance of autograd.Function can be called only once")
        self._used = True
        self._kind = ndarray if isinstance(inputs[0], ndarray) else NDArray
        with pause(train_mode=is_training()):
            outputs = self.forward(*inputs)
        if is_recording() and any(x._node is not None for x in inputs):
            record_function(self._backward_arrays, list(inputs), list(_as_list(outputs)))
        return outputs

    def _backward_arrays(self, dys: Sequence[np.ndarray]) -> list[np.ndarray]:
        with pause(train_mode=is_training()):
            results = _as_list(self.backward(*[self._kind._wrap(d) for d in dys]))
        return [dense(r._data) for r in results]
