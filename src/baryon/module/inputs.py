"""Checks of what a module is told about its inputs."""

from __future__ import annotations

import warnings
from collections.abc import Sequence

from ..io import DataDesc
from ..symbol import Symbol

Shapes = Sequence[DataDesc | tuple[str, Sequence[int]]]
_INPUT_SUFFIXES = ("_weight", "_bias", "_gamma", "_beta")


def _check_input_names(symbol: Symbol, names: Sequence[str], typename: str, throw: bool) -> None:
    """Check that a symbol has these inputs: ValueError, or a warning unless `throw`."""
    arguments = symbol.list_arguments()
    for name in names:
        if name in arguments:
            continue
        candidates = [a for a in arguments if not a.endswith(_INPUT_SUFFIXES)]
        message = (
            f"You created Module with Module(..., {typename}_names={names}) but input with name "
            f"'{name}' is not found in symbol.list_arguments(). Did you mean one of:\n\t"
            + "\n\t".join(candidates)
        )
        if throw:
            raise ValueError(message)
        warnings.warn(message, stacklevel=3)


def _check_names_match(
    data_names: Sequence[str], data_shapes: Sequence[DataDesc], name: str, throw: bool
) -> None:
    """Check that descriptions are of exactly these names: ValueError, or a warning."""
    if sorted(data_names) == sorted(desc.name for desc in data_shapes):
        return
    message = (
        f"Data provided by {name}_shapes don't match names specified by {name}_names "
        f"({data_shapes} vs. {list(data_names)})"
    )
    if throw:
        raise ValueError(message)
    warnings.warn(message, stacklevel=3)


def _parse_data_desc(
    data_names: Sequence[str],
    label_names: Sequence[str],
    data_shapes: Shapes,
    label_shapes: Shapes | None,
) -> tuple[list[DataDesc], list[DataDesc] | None]:
    """Shapes as descriptions, checked against the names; data must fit, labels should."""
    data = [x if isinstance(x, DataDesc) else DataDesc(*x) for x in data_shapes]
    _check_names_match(data_names, data, "data", True)
    if label_shapes is None:
        _check_names_match(label_names, [], "label", False)
        return data, None
    label = [x if isinstance(x, DataDesc) else DataDesc(*x) for x in label_shapes]
    _check_names_match(label_names, label, "label", False)
    return data, label
