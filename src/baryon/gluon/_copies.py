"""The arrays of a Parameter: one on each of its contexts, and their gradients."""

from __future__ import annotations

from typing import Any

from .. import ndarray
from ..base import MXNetError
from ..context import Context, cpu, current_context


class DeferredInitializationError(MXNetError):
    """A Parameter was read before its shape was known."""


class Copies:
    """What a Parameter has on its contexts, for reading; it is filled by `Parameter`."""

    name: str
    _data: list | None
    _grad: list | None
    _ctx_list: list[Context]
    _deferred_init: tuple
    _stype: str
    _trainer: Any

    def _missing(self) -> MXNetError:
        """The error for reading an array that is not there."""
        if self._deferred_init:
            return DeferredInitializationError(
                f"Parameter '{self.name}' has not been initialized yet because initialization was "
                f"deferred. Actual initialization happens during the first forward pass. Please "
                f"pass one batch of data through the network before accessing Parameters. You can "
                f"also avoid deferred initialization by specifying in_units, num_features, etc., "
                f"for network layers."
            )
        return MXNetError(
            f"Parameter '{self.name}' has not been initialized. Note that you should initialize "
            f"parameters and create Trainer with Block.collect_params() instead of Block.params "
            f"because the later does not include Parameters of nested child Blocks"
        )

    def _check_and_get(self, arrays: list | None, ctx: Any) -> Any:
        """The array of one context, of the only one (None) or all of them (`list`)."""
        if arrays is None:
            raise self._missing()
        if ctx is list:
            return arrays
        if ctx is None:
            if len(arrays) == 1:
                return arrays[0]
            ctx = current_context()
        for present, array in zip(self._ctx_list, arrays, strict=False):
            if present is ctx or present == ctx:
                return array
        if ctx.device_type.startswith("cpu_"):  # pinned and shared memory are the cpu's
            return self._check_and_get(arrays, cpu(ctx.device_id))
        raise MXNetError(
            f"Parameter '{self.name}' was not initialized on context {ctx}. "
            f"It was only initialized on {self._ctx_list}."
        )

    def data(self, ctx: Context | None = None) -> Any:
        """The array on a context (default: the only one, else the current context)."""
        if self._stype != "default":
            raise self._wrong_storage("data", "row_sparse_data")
        if self._data is not None and self._ctx_list[0] is ctx:
            return self._data[0]
        return self._check_and_get(self._data, ctx)

    def list_data(self) -> list:
        """The arrays on all contexts, in the order of `list_ctx`."""
        if self._stype != "default":
            raise self._wrong_storage("list_data", "list_row_sparse_data")
        return self._copies()

    def _copies(self) -> list:
        """The arrays on all contexts, however they are stored."""
        if self._data is None:
            raise self._missing()
        return self._data

    def _wrong_storage(self, asked: str, instead: str) -> MXNetError:
        return MXNetError(
            f"Cannot return a copy of Parameter '{self.name}' via {asked}() because its storage "
            f"type is {self._stype}. Please use {instead}() instead."
        )

    def _require_grad(self) -> None:
        if self._data is not None and self._grad is None:
            raise MXNetError(
                f"Cannot get gradient array for Parameter '{self.name}' because grad_req='null'"
            )

    def grad(self, ctx: Context | None = None) -> Any:
        """The gradient on a context."""
        self._require_grad()
        return self._check_and_get(self._grad, ctx)

    def list_grad(self) -> list:
        """The gradients on all contexts."""
        if self._grad is None:
            self._require_grad()
            raise self._missing()
        return self._grad

    def row_sparse_data(self, row_id: Any) -> Any:
        """The rows `row_id` of a row_sparse Parameter that a Trainer has, on their context."""
        self._require_rows("row_sparse_data", "data")
        return ndarray.sparse.retain(self._check_and_get(self._data, row_id.context), row_id)

    def list_row_sparse_data(self, row_id: Any) -> list:
        """The rows `row_id` on every context."""
        self._require_rows("list_row_sparse_data", "list_data")
        return [ndarray.sparse.retain(a, row_id.as_in_context(a.context)) for a in self._copies()]

    def _require_rows(self, asked: str, instead: str) -> None:
        if self._stype != "row_sparse":
            raise self._wrong_storage(asked, instead)
        if self._trainer is None:
            raise MXNetError(
                f"Cannot get row_sparse data for Parameter '{self.name}' when no Trainer is "
                "created with it."
            )

    def list_ctx(self) -> list[Context]:
        """The contexts that hold (or will hold) the array."""
        if self._data is not None:
            return self._ctx_list
        if self._deferred_init:
            return self._deferred_init[1]
        raise self._missing()

    def zero_grad(self) -> None:
        """Fill the gradients of all contexts with zero."""
        for array in self._grad or ():
            if array.stype == "default":
                array[:] = 0
            else:
                ndarray.zeros_like(array, out=array)

    def _reduce(self) -> Any:
        """The mean over all contexts, on the cpu."""
        arrays = [array.copyto(cpu()) for array in self._copies()]
        if len(arrays) == 1:
            return arrays[0]
        return ndarray.add_n(*arrays) / len(arrays)
