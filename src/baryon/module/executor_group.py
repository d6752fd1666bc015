"""The executors of a module: one a context, each with its slice of the batch."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from .. import ndarray as nd
from ..base import MXNetError
from ..context import Context
from ..executor import Executor
from ..executor_manager import _split_input_slice
from ..io import DataDesc
from ..metric import EvalMetric
from ..ndarray import NDArray
from ..symbol import Symbol

# Executors kept for other shapes, so that batches of changing shapes compile once each.
_KEPT_SHAPES = 32

Place = tuple[slice | None, int, NDArray]  # which part of an input, along which axis, goes where


class DataParallelExecutorGroup:
    """One executor for each context, over the same symbol and copies of the same parameters.

    The batch is divided along the axis that the layouts call ``N``; inputs without one go to every
    context whole. A new shape gets executors of its own over the same parameters (`reshape`).
    """

    def __init__(
        self,
        symbol: Symbol,
        contexts: Sequence[Context],
        workload: Sequence[float] | None,
        data_shapes: Sequence[DataDesc],
        label_shapes: Sequence[DataDesc] | None,
        param_names: Sequence[str],
        for_training: bool,
        inputs_need_grad: bool,
        shared_group: DataParallelExecutorGroup | None = None,
        logger: Any = logging,
        fixed_param_names: Sequence[str] | None = None,
        grad_req: Any = "write",
        state_names: Sequence[str] | None = None,
        group2ctxs: Any = None,
    ) -> None:
        self.symbol = symbol
        self.contexts = list(contexts)
        self.workload = list(workload or [1] * len(self.contexts))
        self.param_names = list(param_names)
        self.arg_names = symbol.list_arguments()
        self.aux_names = symbol.list_auxiliary_states()
        self.output_names = symbol.list_outputs()
        self.for_training = for_training
        self.inputs_need_grad = inputs_need_grad
        self.fixed_param_names = list(fixed_param_names or ())
        self.state_names = list(state_names or ())
        self.logger = logger
        self._group2ctxs = _group2ctxs(group2ctxs, len(self.contexts))
        layouts = [symbol[name].attr("__layout__") for name in self.output_names]
        self.output_layouts = [DataDesc.get_batch_axis(layout) for layout in layouts]
        data_names = [desc.name for desc in data_shapes]
        self.grad_req = self._requests(grad_req, data_names)
        self._monitors: list[Any] = []
        self._kept: dict[Any, list[Executor]] = {}
        self._first: list[Executor] | None = None
        self.bind_exec(data_shapes, label_shapes, shared_group)

    def _requests(self, given: Any, data_names: Sequence[str]) -> dict[str, str]:
        """Gradient requests by argument: nothing for labels, states and fixed parameters."""
        if not self.for_training:
            return dict.fromkeys(self.arg_names, "null")
        if isinstance(given, list | tuple):
            return dict(zip(self.arg_names, given, strict=True))
        default = given if isinstance(given, str) else "write"
        wanted = set(self.param_names) - set(self.fixed_param_names)
        if self.inputs_need_grad:
            wanted |= set(data_names)
        reqs = {n: default if n in wanted else "null" for n in self.arg_names}
        return reqs if isinstance(given, str) else {**reqs, **given}

    # ---- binding ---------------------------------------------------------------------------------

    def decide_slices(self, data_shapes: Sequence[DataDesc]) -> list[int]:
        """The batch axis of each input; sets the batch size and the contexts' slices."""
        axes = [DataDesc.get_batch_axis(desc.layout) for desc in data_shapes]
        for desc, axis in zip(data_shapes, axes, strict=True):
            if axis < 0:
                continue
            size = desc.shape[axis]
            if self.batch_size is not None and size != self.batch_size:
                raise AssertionError(
                    f"all data must have the same batch size: batch_size = {self.batch_size}, "
                    f"but {desc.name} has shape {desc.shape}"
                )
            self.batch_size = size
            self.slices = _split_input_slice(size, self.workload)
        return axes

    def bind_exec(
        self,
        data_shapes: Sequence[DataDesc],
        label_shapes: Sequence[DataDesc] | None,
        shared_group: DataParallelExecutorGroup | None = None,
        reshape: bool = False,
    ) -> None:
        """Make or find the executors for these shapes; `reshape` says that there are some."""
        self.batch_size: int | None = None
        self.slices: list[slice] = []
        data_layouts = self.decide_slices(data_shapes)
        label_layouts = self.decide_slices(label_shapes) if label_shapes else []
        self.data_shapes, self.label_shapes = list(data_shapes), label_shapes
        self.label_layouts = label_layouts
        inputs = [*data_shapes, *(label_shapes or ())]
        axes = [*data_layouts, *label_layouts]
        key = tuple(
            (d.name, tuple(d.shape), str(d.dtype), axis)
            for d, axis in zip(inputs, axes, strict=True)
        )
        if key not in self._kept:
            shared = self._first if reshape else shared_group and shared_group._first
            made = [self._bind_ith(i, inputs, axes, shared) for i in range(len(self.contexts))]
            if len(self._kept) >= _KEPT_SHAPES:
                del self._kept[next(iter(self._kept))]
            self._kept[key] = made
            self._first = self._first or made
        self.execs = self._kept[key]
        self._collect(data_layouts)

    def _bind_ith(
        self, i: int, inputs: Sequence[DataDesc], axes: Sequence[int], shared: Any
    ) -> Executor:
        """The executor of context `i`, over the parameters and memory of a shared one."""
        base = shared[i] if shared else None
        shapes = {
            desc.name: self._part_shape(i, desc, axis)
            for desc, axis in zip(inputs, axes, strict=True)
            if desc.name in self.arg_names
        }
        dtypes = {d.name: d.dtype for d in inputs if d.name in self.arg_names}
        made = self.symbol.simple_bind(
            self.contexts[i],
            grad_req=self.grad_req,
            type_dict=dtypes,
            group2ctx=self._group2ctxs[i],
            shared_arg_names=self.param_names,
            shared_exec=base,
            **shapes,
        )
        for name in self.param_names if base else ():
            old = base.arg_dict.get(name)
            if old is not None and old.shape != made.arg_dict[name].shape:
                raise MXNetError(
                    f"shapes {shapes} would change the shape of parameter {name!r} from "
                    f"{old.shape} to {made.arg_dict[name].shape}"
                )
        for monitor in self._monitors:
            monitor.install(made)
        return made

    def _part_shape(self, i: int, desc: DataDesc, axis: int) -> tuple[int, ...]:
        shape = list(desc.shape)
        if axis >= 0:
            shape[axis] = self.slices[i].stop - self.slices[i].start
        return tuple(shape)

    def _collect(self, data_layouts: Sequence[int]) -> None:
        """The executors' arrays by what they are for."""
        execs = self.execs

        def args(names: Sequence[str]) -> list[list[NDArray]]:
            return [[e.arg_dict[n] for e in execs] for n in names if n in execs[0].arg_dict]

        def grads(names: Sequence[str]) -> list[list[NDArray | None]]:
            return [[e.grad_dict.get(n) for e in execs] for n in names if n in execs[0].arg_dict]

        data_names = [desc.name for desc in self.data_shapes]
        self.label_names = [desc.name for desc in self.label_shapes or ()]
        self.data_arrays = self._places(data_names, data_layouts)
        self.label_arrays = self._places(self.label_names, self.label_layouts)
        self.param_arrays, self.state_arrays = args(self.param_names), args(self.state_names)
        self.grad_arrays = grads(self.param_names) if self.for_training else None
        self.input_grad_arrays = grads(data_names) if self.inputs_need_grad else None
        self.aux_arrays = [[e.aux_dict[n] for e in execs] for n in self.aux_names]

    def _places(self, names: Sequence[str], axes: Sequence[int]) -> list[list[Place]]:
        """For each input, where its parts go; nowhere for labels that the symbol does not read."""
        alone = len(self.execs) == 1
        return [
            [
                (None if alone or axis < 0 else self.slices[i], axis, e.arg_dict[name])
                for i, e in enumerate(self.execs)
                if name in e.arg_dict
            ]
            for name, axis in zip(names, axes, strict=True)
        ]

    def reshape(
        self, data_shapes: Sequence[DataDesc], label_shapes: Sequence[DataDesc] | None
    ) -> None:
        """Go over to other input shapes; parameters stay."""
        self.bind_exec(data_shapes, label_shapes, reshape=True)

    # ---- values ----------------------------------------------------------------------------------

    def set_params(
        self,
        arg_params: Mapping[str, NDArray],
        aux_params: Mapping[str, NDArray],
        allow_extra: bool = False,
    ) -> None:
        """Copy values into all executors."""
        for executor in self.execs:
            executor.copy_params_from(arg_params, aux_params, allow_extra_params=allow_extra)

    def get_params(self, arg_params: dict[str, NDArray], aux_params: dict[str, NDArray]) -> None:
        """Write the values, averaged over contexts, into the arrays given by name."""
        for names, arrays, targets in (
            (self.param_names, self.param_arrays, arg_params),
            (self.aux_names, self.aux_arrays, aux_params),
        ):
            for name, copies in zip(names, arrays, strict=True):
                targets[name][:] = _mean(copies, targets[name].context)

    def get_states(self, merge_multi_context: bool = True) -> list[Any]:
        """The states: a list by context each."""
        if merge_multi_context:
            raise AssertionError("merge_multi_context=True is not supported for get_states yet.")
        return self.state_arrays

    def set_states(self, states: Any = None, value: float | None = None) -> None:
        """Set the states to arrays (a list by context each), or to one number."""
        if (states is None) == (value is None):
            raise AssertionError("give either states or value")
        for i, arrays in enumerate(self.state_arrays):
            for k, array in enumerate(arrays):
                array[:] = value if states is None else states[i][k]

    # ---- computation -----------------------------------------------------------------------------

    def forward(self, data_batch: Any, is_train: bool | None = None) -> None:
        """Hand out a batch (or a list of batches, one a context) and compute."""
        self.load(data_batch)
        is_train = self.for_training if is_train is None else is_train
        for executor in self.execs:
            executor.forward(is_train)

    def load(self, data_batch: Any) -> None:
        """Hand out a batch, or a list of batches, one a context."""
        if isinstance(data_batch, list):
            for i, batch in enumerate(data_batch):
                _load(batch.data, [[(None, 0, places[i][2])] for places in self.data_arrays])
                if batch.label:
                    parts = [[(None, 0, p[i][2])] if p else [] for p in self.label_arrays]
                    _load(batch.label, parts)
        else:
            _load(data_batch.data, self.data_arrays)
            if self.label_arrays and data_batch.label:
                _load(data_batch.label, self.label_arrays)

    def backward(self, out_grads: Any = None) -> None:
        """Compute gradients from those of the outputs, given whole."""
        if not self.for_training:
            raise AssertionError("re-bind with for_training=True to run backward")
        if out_grads is None or len(self.execs) == 1:
            for executor in self.execs:
                executor.backward(out_grads)
            return
        whole = [out_grads] if isinstance(out_grads, NDArray) else out_grads
        for executor, part in zip(self.execs, self.slices, strict=True):
            executor.backward(
                [_cut(g, part, a) for g, a in zip(whole, self.output_layouts, strict=True)]
            )

    def get_output_shapes(self) -> list[tuple[str, tuple[int, ...]]]:
        """(name, shape) of each output, over the whole batch."""
        found = []
        for name, array, axis in zip(
            self.output_names, self.execs[0].outputs, self.output_layouts, strict=True
        ):
            shape = list(array.shape)
            if axis >= 0 and len(self.execs) > 1:
                shape[axis] = self.batch_size
            found.append((name, tuple(shape)))
        return found

    def get_outputs(
        self, merge_multi_context: bool = True, begin: int = 0, end: int | None = None
    ) -> list[Any]:
        """Outputs ``begin`` to ``end``, joined over contexts, or a list by context each."""
        if merge_multi_context and len(self.execs) == 1:
            return self.execs[0].outputs[begin:end]
        found = [list(each) for each in zip(*(e.outputs for e in self.execs), strict=True)]
        if not merge_multi_context:
            return found[begin:end]
        return [_join(a, x) for a, x in zip(found, self.output_layouts, strict=True)][begin:end]

    def get_input_grads(self, merge_multi_context: bool = True) -> list[Any]:
        """Gradients of the data inputs, joined over contexts, or a list by context each."""
        if self.input_grad_arrays is None:
            raise AssertionError("bind with inputs_need_grad=True to get gradients of the inputs")
        if not merge_multi_context:
            return self.input_grad_arrays
        axes = [DataDesc.get_batch_axis(desc.layout) for desc in self.data_shapes]
        return [_join(g, axis) for g, axis in zip(self.input_grad_arrays, axes, strict=True)]

    def update_metric(self, eval_metric: EvalMetric, labels: Any, pre_sliced: bool = False) -> None:
        """Feed a metric with each context's labels and outputs."""
        for i, executor in enumerate(self.execs):
            parts = labels[i] if pre_sliced else labels
            if not pre_sliced and len(self.execs) > 1:
                cuts = zip(labels or (), self.label_layouts, strict=False)
                parts = [_cut(label, self.slices[i], axis) for label, axis in cuts]
            eval_metric.update_dict(
                dict(zip(self.label_names, parts or (), strict=False)),
                dict(zip(self.output_names, executor.outputs, strict=True)),
            )

    def install_monitor(self, mon: Any) -> None:
        """Let a `Monitor` see all executors, later ones too."""
        self._monitors.append(mon)
        for execs in self._kept.values():
            for executor in execs:
                mon.install(executor)


def _group2ctxs(given: Any, count: int) -> list[Any]:
    """For each context, where the parts of the graph go."""
    if given is None or isinstance(given, Mapping):
        return [_ith(given, i) for i in range(count)]
    if len(given) != count:
        raise AssertionError(f"{len(given)} group2ctxs for {count} contexts")
    return list(given)


def _ith(groups: Mapping[str, Any] | None, i: int) -> dict[str, Context] | None:
    if groups is None:
        return None
    return {k: v[i] if isinstance(v, list | tuple) else v for k, v in groups.items()}


def _load(sources: Sequence[Any], targets: Sequence[Sequence[Place]]) -> None:
    """Copy inputs, or parts of them, into executors' arrays."""
    for source, places in zip(sources, targets, strict=False):
        for part, axis, target in places:
            _copy(source if part is None else _cut(source, part, axis), target)


def _copy(source: Any, target: NDArray) -> None:
    raw, into = source._data, target._data
    if raw.shape != into.shape:
        raise MXNetError(f"an input has shape {raw.shape}, the module is bound to {into.shape}")
    if isinstance(raw, np.ndarray) and isinstance(into, np.ndarray):
        np.copyto(into, raw, casting="unsafe")
    else:
        source.copyto(target)


def _cut(array: NDArray, part: slice, axis: int) -> NDArray:
    """A part of an array along its batch axis; all of it where there is none."""
    if axis < 0:
        return array
    return array[part] if axis == 0 else array.slice_axis(axis, part.start, part.stop)


def _join(parts: list[NDArray], axis: int) -> NDArray:
    if len(parts) == 1 or axis < 0:
        return parts[0]
    first = parts[0].context
    return nd.concat(*[p.as_in_context(first) for p in parts], dim=axis)


def _mean(copies: list[NDArray], ctx: Context) -> NDArray:
    if len(copies) == 1:
        return copies[0]
    return nd.add_n(*[c.as_in_context(ctx) for c in copies]) / len(copies)
