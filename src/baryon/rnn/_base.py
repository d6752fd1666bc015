"""What all cells share: parameters, begin states, unrolling, and weights gate by gate."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from .. import ndarray as nd
from .. import symbol
from ..ndarray import NDArray
from ..symbol import Symbol

Weights = dict[str, NDArray]
Sequence_ = Symbol | Sequence[Symbol]  # one symbol with a time axis, or a list of steps


class RNNParams:
    """Variables made when first asked for, shared by cells that are given the same object.

    prefix : stands in front of their names.
    """

    def __init__(self, prefix: str = "") -> None:
        self._prefix = prefix
        self._params: dict[str, Symbol] = {}

    def get(self, name: str, **kwargs: Any) -> Symbol:
        """The variable of a name; keywords as for `symbol.var`, where it is new."""
        name = self._prefix + name
        if name not in self._params:
            self._params[name] = symbol.var(name, **kwargs)
        return self._params[name]


class BaseRNNCell:
    """Base of the cells: one step is ``output, states = cell(inputs, states)``.

    prefix : in front of the names of parameters and nodes.
    params : variables shared with another cell.
    """

    def __init__(self, prefix: str = "", params: RNNParams | None = None) -> None:
        self._own_params = params is None
        self._prefix = prefix
        self._params = RNNParams(prefix) if params is None else params
        self._modified = False
        self.reset()

    def reset(self) -> None:
        """Begin to count steps anew, before a cell is unrolled again."""
        self._init_counter = -1
        self._counter = -1

    def __call__(self, inputs: Symbol, states: Sequence[Symbol]) -> tuple[Any, list[Symbol]]:
        """One step: the output, and the states for the next."""
        raise NotImplementedError

    def _next_name(self) -> str:
        """The prefix of the next step's nodes."""
        self._counter += 1
        return f"{self._prefix}t{self._counter}_"

    @property
    def params(self) -> RNNParams:
        """The variables, for other cells to share; this cell then leaves them to all."""
        self._own_params = False
        return self._params

    @property
    def state_info(self) -> list[dict[str, Any]]:
        """Shape (0: the batch) and layout of each state."""
        raise NotImplementedError

    @property
    def state_shape(self) -> list[tuple[int, ...]]:
        """Shapes of the states."""
        return [info["shape"] for info in self.state_info]

    @property
    def _gate_names(self) -> Sequence[str]:
        """What the names of single gates' weights end in."""
        return ()

    def begin_state(
        self, func: Callable[..., Symbol] = symbol.zeros, **kwargs: Any
    ) -> list[Symbol]:
        """Symbols for the first states: by default zeros; ``func=mx.sym.Variable`` for inputs.

        Keywords go to ``func``.
        """
        if self._modified:
            raise AssertionError(
                "After applying modifier cells (e.g. DropoutCell) the base cell cannot be called "
                "directly. Call the modifier cell instead."
            )
        states = []
        for info in self.state_info:
            self._init_counter += 1
            name = f"{self._prefix}begin_state_{self._init_counter}"
            states.append(func(name=name, **{**(info or {}), **kwargs}))
        return states

    def unpack_weights(self, args: Mapping[str, NDArray]) -> Weights:
        """Arrays by name with this cell's matrices split into one for each gate."""
        args = dict(args)
        if not self._gate_names:
            return args
        for group, kind, name in self._packed():
            packed = args.pop(name)
            rows = packed.shape[0] // len(self._gate_names)
            for i, gate in enumerate(self._gate_names):
                part = packed[i * rows : (i + 1) * rows].copy()
                args[f"{self._prefix}{group}{gate}_{kind}"] = part
        return args

    def pack_weights(self, args: Mapping[str, NDArray]) -> Weights:
        """The opposite of `unpack_weights`."""
        args = dict(args)
        if not self._gate_names:
            return args
        for group, kind, name in self._packed():
            parts = [args.pop(f"{self._prefix}{group}{g}_{kind}") for g in self._gate_names]
            args[name] = nd.concatenate(parts)
        return args

    def _packed(self) -> list[tuple[str, str, str]]:
        """(product, kind, name) of each parameter that holds all gates."""
        return [
            (group, kind, f"{self._prefix}{group}_{kind}")
            for group in ("i2h", "h2h")
            for kind in ("weight", "bias")
        ]

    def unroll(
        self,
        length: int,
        inputs: Sequence_,
        begin_state: Sequence[Symbol] | None = None,
        layout: str = "NTC",
        merge_outputs: bool | None = None,
    ) -> tuple[Sequence_, list[Symbol]]:
        """Steps over a sequence: its outputs and the last states.

        inputs : one symbol of this layout, or a list of ``length`` steps (N, C).
        merge_outputs : whether outputs are one symbol (True), a list (False), or either (None).
        """
        self.reset()
        steps, _ = normalize_sequence(length, inputs, layout, merge=False)
        states = self.begin_state() if begin_state is None else begin_state
        outputs = []
        for step in steps:
            output, states = self(step, states)
            outputs.append(output)
        merged, _ = normalize_sequence(length, outputs, layout, merge_outputs)
        return merged, states

    def _get_activation(self, inputs: Symbol, activation: Any, **kwargs: Any) -> Symbol:
        """An activation by its name, or by calling it."""
        if isinstance(activation, str):
            return symbol.Activation(inputs, act_type=activation, **kwargs)
        return activation(inputs, **kwargs)


def normalize_sequence(
    length: int, inputs: Any, layout: str, merge: bool | None, in_layout: str | None = None
) -> tuple[Any, int]:
    """A sequence as one symbol (`merge` True), as a list of steps (False), or as it is (None).

    Also gives the time axis. `in_layout` is that of `inputs`, where it differs.
    """
    if inputs is None:
        raise AssertionError(
            "unroll(inputs=None) has been deprecated. Please create input variables outside unroll."
        )
    axis = layout.find("T")
    in_axis = axis if in_layout is None else in_layout.find("T")
    if isinstance(inputs, Symbol):
        if merge is False:
            if len(inputs) != 1:
                raise AssertionError(
                    "unroll doesn't allow grouped symbol as input. Please convert to list first "
                    "or let unroll handle splitting."
                )
            split = symbol.split(inputs, axis=in_axis, num_outputs=length, squeeze_axis=1)
            return list(split), axis
    else:
        if length is not None and len(inputs) != length:
            raise AssertionError(f"expected a sequence of {length} steps, got {len(inputs)}")
        if merge is not True:
            return inputs, axis
        steps = [symbol.expand_dims(i, axis=axis) for i in inputs]
        inputs, in_axis = symbol.Concat(*steps, dim=axis), axis
    if axis != in_axis:
        inputs = symbol.swapaxes(inputs, dim1=axis, dim2=in_axis)
    return inputs, axis


def begin_states(cells: Sequence[BaseRNNCell], **kwargs: Any) -> list[Symbol]:
    """The begin states of several cells, one after the other."""
    return [state for cell in cells for state in cell.begin_state(**kwargs)]
