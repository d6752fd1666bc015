"""Checkpoints of networks with cells, their weights stored gate by gate."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from .. import symbol as sym
from ..base import _as_list
from ..checkpoint import load_checkpoint, save_checkpoint
from ..ndarray import NDArray
from ..symbol import Symbol
from ._base import BaseRNNCell

Cells = BaseRNNCell | Sequence[BaseRNNCell]
Params = dict[str, NDArray]


def rnn_unroll(
    cell: BaseRNNCell,
    length: int,
    inputs: Any = None,
    begin_state: Sequence[Symbol] | None = None,
    input_prefix: str = "",
    layout: str = "NTC",
) -> tuple[Any, list[Symbol]]:
    """`BaseRNNCell.unroll`; without inputs on variables ``input_prefix + "t0_data"``, …"""
    if inputs is None:
        inputs = [sym.var(f"{input_prefix}t{i}_data") for i in range(length)]
    return cell.unroll(length, inputs, begin_state, layout)


def save_rnn_checkpoint(
    cells: Cells,
    prefix: str,
    epoch: int,
    symbol: Symbol,
    arg_params: Mapping[str, NDArray],
    aux_params: Mapping[str, NDArray],
) -> None:
    """`model.save_checkpoint` with the cells' weights unpacked, so fused and other cells share."""
    for cell in _as_list(cells):
        arg_params = cell.unpack_weights(arg_params)
    save_checkpoint(prefix, epoch, symbol, arg_params, aux_params)


def load_rnn_checkpoint(cells: Cells, prefix: str, epoch: int) -> tuple[Symbol, Params, Params]:
    """`model.load_checkpoint` with the weights packed for these cells."""
    symbol, arg, aux = load_checkpoint(prefix, epoch)
    for cell in _as_list(cells):
        arg = cell.pack_weights(arg)
    return symbol, arg, aux


def do_rnn_checkpoint(cells: Cells, prefix: str, period: int = 1) -> Callable[..., None]:
    """An epoch callback that saves by `save_rnn_checkpoint` every ``period`` epochs."""
    period = max(1, int(period))

    def callback(iter_no: int, sym: Symbol, arg: Params, aux: Params) -> None:
        if (iter_no + 1) % period == 0:
            save_rnn_checkpoint(cells, prefix, iter_no + 1, sym, arg, aux)

    return callback
