"""``Custom``: the name under which operators written in Python are called."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ..base import MXNetError
from .op import Op, op


@op("Custom", aliases=("_npi_Custom",))
def custom(xp, *data, op_type: str | None = None):
    """An operator written in Python and registered as `op_type`; see ``mx.operator.CustomOp``.

    All further keyword arguments go, as strings, to the constructor of its ``CustomOpProp``.

    >>> class Twice(mx.operator.CustomOp):
    ...     def forward(self, is_train, req, in_data, out_data, aux):
    ...         self.assign(out_data[0], req[0], in_data[0] * 2)
    >>> @mx.operator.register("doc_twice")
    ... class TwiceProp(mx.operator.CustomOpProp):
    ...     def create_operator(self, ctx, in_shapes, in_dtypes):
    ...         return Twice()
    >>> mx.nd.Custom(mx.nd.array([1.0, 2.0]), op_type="doc_twice").asnumpy()
    array([2., 4.], dtype=float32)
    """
    raise TypeError("Custom is the name of many operators and computes nothing itself")


def _none_yet(raw: Mapping[str, Any], graphs: Sequence[Any] | None) -> Op:
    raise MXNetError(
        f"operator Custom: cannot find custom operator {raw.get('op_type')!r}; "
        "none is registered, see mx.operator.register"
    )


custom.instantiate = _none_yet
