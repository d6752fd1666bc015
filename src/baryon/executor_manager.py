"""How a batch is divided among contexts."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import accumulate

from .symbol import Symbol

__all__: list[str] = []


def _split_input_slice(batch_size: int, work_load_list: Sequence[float]) -> list[slice]:
    """One slice of the batch for each context, sized by its share of the work.

    ValueError where a context would get nothing.

    >>> mx.executor_manager._split_input_slice(10, [1, 1])
    [slice(0, 5, None), slice(5, 10, None)]
    """
    total = sum(work_load_list)
    shares = [round(load * batch_size / total) for load in work_load_list]
    shares[-1] += batch_size - sum(shares)
    if min(shares) <= 0:
        raise ValueError("Too many slices. Some splits are empty.")
    stops = list(accumulate(shares))
    return [slice(a, b) for a, b in zip([0, *stops], stops, strict=False)]


def _check_arguments(symbol: Symbol) -> None:
    """ValueError where two arguments or auxiliary states have one name."""
    for kind, names in (
        ("arguments", symbol.list_arguments()),
        ("auxiliary states", symbol.list_auxiliary_states()),
    ):
        twice = {name for name in names if names.count(name) > 1}
        if twice:
            raise ValueError(f"duplicate {kind} {sorted(twice)}: give each layer its own name")
