"""Checkpoints: ``PREFIX-symbol.json`` with ``PREFIX-EPOCH.params``, as MXNet writes and reads them.

In the parameter file ``arg:`` stands before the names of arguments and ``aux:`` before those of
auxiliary states. Files are replaced whole.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping

from . import ndarray as nd
from . import symbol
from .ndarray import NDArray
from .symbol import Symbol

__all__ = ["load_checkpoint", "load_params", "save_checkpoint"]

Params = dict[str, NDArray]


def save_checkpoint(
    prefix: str,
    epoch: int,
    symbol: Symbol | None,
    arg_params: Mapping[str, NDArray],
    aux_params: Mapping[str, NDArray],
    remove_amp_cast: bool = True,
) -> None:
    """Save a symbol (unless None) as ``prefix-symbol.json`` and values as ``prefix-0001.params``.

    remove_amp_cast : leave the casts of mixed precision out of the symbol.

    >>> import os, tempfile
    >>> prefix = os.path.join(tempfile.mkdtemp(), "model")
    >>> mx.model.save_checkpoint(prefix, 3, mx.sym.var("x"), {"x": mx.nd.ones((1,))}, {})
    >>> symbol, arg_params, aux_params = mx.model.load_checkpoint(prefix, 3)
    >>> arg_params["x"].asnumpy()
    array([1.], dtype=float32)
    """
    if symbol is not None:
        symbol.save(f"{prefix}-symbol.json", remove_amp_cast)
    fname = f"{prefix}-{epoch:04d}.params"
    save_named(fname, arg_params, aux_params)
    logging.info('Saved checkpoint to "%s"', fname)


def save_named(
    fname: str, arg_params: Mapping[str, NDArray], aux_params: Mapping[str, NDArray]
) -> None:
    """Save arguments and auxiliary states in one file."""
    arrays = {f"arg:{name}": array for name, array in arg_params.items()}
    arrays.update((f"aux:{name}", array) for name, array in aux_params.items())
    nd.save(fname, arrays)


def load_named(fname: str) -> tuple[Params, Params]:
    """Arguments and auxiliary states of one file; ValueError for a file of other things."""
    found: dict[str, Params] = {"arg": {}, "aux": {}}
    arrays = nd.load(fname)
    if not arrays:
        logging.warning("Params file '%s' is empty", fname)
        return found["arg"], found["aux"]
    if not isinstance(arrays, Mapping):
        raise ValueError(f"Invalid param file {fname}: its arrays have no names")
    for key, array in arrays.items():
        kind, _, name = key.partition(":")
        if kind not in found:
            raise ValueError(
                f"Invalid param file {fname}: name {key!r} begins with neither arg: nor aux:"
            )
        found[kind][name] = array
    return found["arg"], found["aux"]


def load_params(prefix: str, epoch: int) -> tuple[Params, Params]:
    """Arguments and auxiliary states by name from ``prefix-EPOCH.params``."""
    return load_named(f"{prefix}-{epoch:04d}.params")


def load_checkpoint(prefix: str, epoch: int) -> tuple[Symbol, Params, Params]:
    """Symbol, arguments and auxiliary states that `save_checkpoint` (or MXNet's) wrote."""
    return (symbol.load(f"{prefix}-symbol.json"), *load_params(prefix, epoch))
