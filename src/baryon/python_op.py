"""MXNet's first way to write an operator in Python, deprecated in favour of `CustomOp`."""

from __future__ import annotations

import itertools
import warnings
from collections.abc import Sequence
from typing import Any

from . import custom
from .ndarray import NDArray
from .ops.op import get
from .symbol import Symbol, compose

_numbers = itertools.count()


class PythonOp:
    """What `NumpyOp` and `NDArrayOp` share: an object that is called on symbols.

    need_top_grad : whether the gradient reads the head gradient; False for a loss.
    """

    def __init__(self, need_top_grad: bool = True) -> None:
        warnings.warn(
            f"{type(self).__name__} is deprecated; use CustomOp", DeprecationWarning, stacklevel=2
        )
        self.need_top_grad_ = need_top_grad
        self._op_type = f"python_op{next(_numbers)}"

    def __call__(self, *args: Symbol, **kwargs: Any) -> Symbol:
        """Apply to symbols."""
        return self.get_symbol(*args, **kwargs)

    def get_symbol(self, *args: Symbol, name: str | None = None, **kwargs: Symbol) -> Symbol:
        """The operator applied to symbols, by position or by argument name."""
        custom._PROPS[self._op_type] = lambda: _Prop(self)
        raw = {"op_type": self._op_type}
        op = get("Custom").instantiate(raw, ())
        inputs, unknown = op.bind(args, kwargs)
        return compose(op, inputs, {**raw, **unknown}, name, hint=self._hint)

    _hint = ""

    def forward(self, in_data: list, out_data: list) -> None:
        """Compute `out_data` (of one output like the input: a copy)."""
        out_data[0][:] = in_data[0]

    def backward(self, out_grad: list, in_data: list, out_data: list, in_grad: list) -> None:
        """Compute `in_grad` (by default ones)."""
        in_grad[0][:] = 1.0

    def infer_shape(self, in_shape: list) -> tuple[list, list]:
        """Shapes of inputs and outputs (by default all like the first input's)."""
        return in_shape, [in_shape[0]]

    def list_outputs(self) -> list[str]:
        """Names of the outputs."""
        return ["output"]

    def list_arguments(self) -> list[str]:
        """Names of the inputs."""
        return ["data"]

    def need_top_grad(self) -> bool:
        """Whether `backward` reads `out_grad`."""
        return self.need_top_grad_

    def _run(self, method: str, *groups: Sequence[NDArray]) -> None:
        raise NotImplementedError(f"{type(self).__name__}: derive from NumpyOp or NDArrayOp")


class NumpyOp(PythonOp):
    """An operator whose `forward` and `backward` get NumPy arrays and fill the results in place.

    >>> class Square(mx.operator.NumpyOp):
    ...     def forward(self, in_data, out_data):
    ...         out_data[0][:] = in_data[0] ** 2
    >>> import warnings
    >>> with warnings.catch_warnings():
    ...     warnings.simplefilter("ignore")
    ...     square = Square()
    >>> square(mx.sym.var("x")).eval(x=mx.nd.array([3.0]))[0].asnumpy()
    array([9.], dtype=float32)
    """

    _hint = "_native"

    def _run(self, method: str, *groups: Sequence[NDArray]) -> None:
        getattr(self, method)(*([x._data for x in group] for group in groups))


class NDArrayOp(PythonOp):
    """An operator whose `forward` and `backward` get NDArrays and fill the results in place."""

    _hint = "_ndarray"

    def _run(self, method: str, *groups: Sequence[NDArray]) -> None:
        getattr(self, method)(*map(list, groups))

    def declare_backward_dependency(
        self, out_grad: list[int], in_data: list[int], out_data: list[int]
    ) -> list[int]:
        """Those of the given numbers whose arrays `backward` reads."""
        return [*(out_grad if self.need_top_grad() else ()), *in_data, *out_data]


class _Prop(custom.CustomOpProp):
    """A `PythonOp` as `CustomOp` sees it."""

    def __init__(self, op: PythonOp) -> None:
        super().__init__(op.need_top_grad())
        self._op = op
        self.list_arguments = op.list_arguments  # type: ignore[method-assign]
        self.list_outputs = op.list_outputs  # type: ignore[method-assign]

    def infer_shape(self, in_shape: list) -> tuple:
        """As the operator says; it has no auxiliary states."""
        return (*self._op.infer_shape(in_shape), [])

    def declare_backward_dependency(self, *groups: list[int]) -> list[int]:
        """As the operator says, if it does."""
        declare = getattr(self._op, "declare_backward_dependency", None)
        return (declare or super().declare_backward_dependency)(*groups)

    def create_operator(self, ctx: Any, in_shapes: list, in_dtypes: list) -> custom.CustomOp:
        """An operator that calls the Python object."""
        return _Calls(self._op)


class _Calls(custom.CustomOp):
    def __init__(self, op: PythonOp) -> None:
        self._op = op

    def forward(
        self, is_train: bool, req: list[str], in_data: list, out_data: list, aux: list
    ) -> None:
        self._op._run("forward", in_data, out_data)

    def backward(
        self,
        req: list[str],
        out_grad: list,
        in_data: list,
        out_data: list,
        in_grad: list,
        aux: list,
    ) -> None:
        self._op._run("backward", out_grad, in_data, out_data, in_grad)
