"""The parameters of a `Module`: values kept here, and those that its executors hold."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from typing import Any

from .. import ndarray as nd
from ..initializer import InitDesc, Initializer, Uniform
from ..ndarray import NDArray
from ..symbol import Symbol
from .optimized import OptimizedModule

Params = dict[str, NDArray]


class ParametrizedModule(OptimizedModule):
    """A module whose executors share parameters, which have first values and can be replaced."""

    _symbol: Symbol
    _param_names: list[str]
    _aux_names: list[str]
    _arg_params: Params | None
    _aux_params: Params | None

    def get_params(self) -> tuple[Params, Params]:
        """Arguments and auxiliary states by name; averages where there are several contexts."""
        self._require_params()
        if self._params_dirty:
            self._sync_params_from_devices()
        return self._arg_params, self._aux_params

    def _sync_params_from_devices(self) -> None:
        """Bring the values kept here up to date."""
        self._exec_group.get_params(self._arg_params, self._aux_params)
        self._params_dirty = False

    def init_params(
        self,
        initializer: Initializer | None = Uniform(0.01),  # noqa: B008 - MXNet's default
        arg_params: Mapping[str, NDArray] | None = None,
        aux_params: Mapping[str, NDArray] | None = None,
        allow_missing: bool = False,
        force_init: bool = False,
        allow_extra: bool = False,
    ) -> None:
        """Give parameters their first values: the given ones, else the initializer's.

        RuntimeError for values that are missing, unless ``allow_missing``.
        """
        if self.params_initialized and not force_init:
            warnings.warn(
                "Parameters already initialized and force_init=False. init_params call ignored.",
                stacklevel=2,
            )
            return
        if not self.binded:
            raise AssertionError("call bind before initializing the parameters")
        self._make_params()
        attributes = self._symbol.attr_dict()
        for arrays, given in ((self._arg_params, arg_params), (self._aux_params, aux_params)):
            for name, array in sorted(arrays.items()):
                desc = InitDesc(name, attributes.get(name))
                _fill(desc, array, given, initializer, allow_missing)
        self.params_initialized = True
        self._params_dirty = False
        self._exec_group.set_params(self._arg_params, self._aux_params, allow_extra=allow_extra)

    def _make_params(self) -> None:
        """Zeros for all parameters, unless there are values already."""
        group = self._exec_group
        if self._arg_params is None:
            self._arg_params = _zeros(self._param_names, group.param_arrays)
        if self._aux_params is None:
            self._aux_params = _zeros(self._aux_names, group.aux_arrays)

    def set_params(
        self,
        arg_params: Mapping[str, NDArray],
        aux_params: Mapping[str, NDArray],
        allow_missing: bool = False,
        force_init: bool = True,
        allow_extra: bool = False,
    ) -> None:
        """Set parameters; with ``allow_missing`` only those given."""
        if not allow_missing:
            self.init_params(None, arg_params, aux_params, allow_missing, force_init, allow_extra)
            return
        if self.params_initialized and not force_init:
            warnings.warn(
                "Parameters already initialized and force_init=False. set_params call ignored.",
                stacklevel=2,
            )
            return
        self._exec_group.set_params(arg_params, aux_params, allow_extra=allow_extra)
        self._make_params()
        self._params_dirty = True
        self.params_initialized = True

    def get_states(self, merge_multi_context: bool = True) -> list[Any]:
        """The states, a list by context each; ``merge_multi_context`` must be False."""
        self._require_params()
        return self._exec_group.get_states(merge_multi_context)

    def set_states(self, states: Any = None, value: float | None = None) -> None:
        """Set the states to arrays, such as `get_outputs` gave by context, or to one number."""
        self._require_params()
        self._exec_group.set_states(states, value)


def _zeros(names: Sequence[str], arrays: Sequence[Sequence[NDArray]]) -> dict[str, NDArray]:
    """Zeros for each name, as the first of its copies is."""
    return {
        name: nd.zeros(copies[0].shape, dtype=copies[0].dtype, stype=copies[0].stype)
        for name, copies in zip(names, arrays, strict=True)
    }


def _fill(
    desc: InitDesc,
    array: NDArray,
    given: Mapping[str, NDArray] | None,
    initializer: Initializer | None,
    allow_missing: bool,
) -> None:
    """Give one parameter its first value."""
    found = (given or {}).get(desc)
    if found is not None:
        if found is not array:
            found.copyto(array)
        return
    if given is not None and not allow_missing:
        raise RuntimeError(f"{desc} is not presented")
    if initializer is not None:
        initializer(desc, array)
