"""Cells around a cell: zoneout and residual connections."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from .. import symbol
from ..ndarray import NDArray
from ..symbol import Symbol
from ._base import BaseRNNCell, RNNParams, Sequence_, Weights, normalize_sequence
from ._fused import FusedRNNCell
from ._stacks import BidirectionalCell


class ModifierCell(BaseRNNCell):
    """Base of cells that change what another cell does; parameters and states are that one's."""

    def __init__(self, base_cell: BaseRNNCell) -> None:
        super().__init__()
        base_cell._modified = True
        self.base_cell = base_cell

    @property
    def params(self) -> RNNParams:
        """The base cell's variables."""
        self._own_params = False
        return self.base_cell.params

    @property
    def state_info(self) -> list[dict[str, Any]]:
        """The base cell's states."""
        return self.base_cell.state_info

    def begin_state(
        self, init_sym: Callable[..., Symbol] = symbol.zeros, **kwargs: Any
    ) -> list[Symbol]:
        """The base cell's begin states."""
        if self._modified:
            raise AssertionError(
                "After applying modifier cells (e.g. DropoutCell) the base cell cannot be called "
                "directly. Call the modifier cell instead."
            )
        self.base_cell._modified = False
        try:
            return self.base_cell.begin_state(func=init_sym, **kwargs)
        finally:
            self.base_cell._modified = True

    def unpack_weights(self, args: Mapping[str, NDArray]) -> Weights:
        """As the base cell."""
        return self.base_cell.unpack_weights(args)

    def pack_weights(self, args: Mapping[str, NDArray]) -> Weights:
        """As the base cell."""
        return self.base_cell.pack_weights(args)

    def __call__(self, inputs: Symbol, states: Sequence[Symbol]) -> tuple[Any, list[Symbol]]:
        """One step."""
        raise NotImplementedError


class ZoneoutCell(ModifierCell):
    """Keeps elements of the last output and states at random (Krueger et al., 2016).

    zoneout_outputs, zoneout_states : the probabilities with which they stay.
    """

    def __init__(
        self, base_cell: BaseRNNCell, zoneout_outputs: float = 0.0, zoneout_states: float = 0.0
    ) -> None:
        if isinstance(base_cell, FusedRNNCell):
            raise AssertionError("FusedRNNCell doesn't support zoneout. Please unfuse first.")
        if isinstance(base_cell, BidirectionalCell):
            raise AssertionError(
                "BidirectionalCell doesn't support zoneout since it doesn't support step. Please "
                "add ZoneoutCell to the cells underneath instead."
            )
        super().__init__(base_cell)
        self.zoneout_outputs = zoneout_outputs
        self.zoneout_states = zoneout_states
        self.prev_output: Symbol | None = None

    def reset(self) -> None:
        """Begin anew."""
        super().reset()
        self.prev_output = None

    def __call__(self, inputs: Symbol, states: Sequence[Symbol]) -> tuple[Symbol, list[Symbol]]:
        """One step."""
        output, following = self.base_cell(inputs, states)
        before = symbol.zeros((0, 0)) if self.prev_output is None else self.prev_output
        if self.zoneout_outputs != 0.0:
            output = _mixed(self.zoneout_outputs, output, before)
        if self.zoneout_states != 0.0:
            pairs = zip(following, states, strict=True)
            following = [_mixed(self.zoneout_states, new, old) for new, old in pairs]
        self.prev_output = output
        return output, following


def _mixed(p: float, new: Symbol, old: Symbol) -> Symbol:
    """`new`, but elements of `old` with probability `p`."""
    chosen = symbol.Dropout(symbol.ones_like(new), p=p)
    return symbol.where(chosen, new, old)


class ResidualCell(ModifierCell):
    """Adds the inputs to the outputs (He et al., 2015)."""

    def __call__(self, inputs: Symbol, states: Sequence[Symbol]) -> tuple[Symbol, list[Symbol]]:
        """One step."""
        output, states = self.base_cell(inputs, states)
        return self._sum(output, inputs), states

    @staticmethod
    def _sum(output: Symbol, inputs: Symbol) -> Symbol:
        return symbol.elemwise_add(output, inputs, name=f"{output.name}_plus_residual")

    def unroll(
        self,
        length: int,
        inputs: Sequence_,
        begin_state: Sequence[Symbol] | None = None,
        layout: str = "NTC",
        merge_outputs: bool | None = None,
    ) -> tuple[Sequence_, list[Symbol]]:
        """Unroll the base cell, then add."""
        self.reset()
        self.base_cell._modified = False
        try:
            outputs, states = self.base_cell.unroll(
                length, inputs, begin_state, layout, merge_outputs
            )
        finally:
            self.base_cell._modified = True
        merged = isinstance(outputs, Symbol) if merge_outputs is None else merge_outputs
        inputs, _ = normalize_sequence(length, inputs, layout, merged)
        if merged:
            return self._sum(outputs, inputs), states
        return [self._sum(o, i) for o, i in zip(outputs, inputs, strict=True)], states
