"""Calls of update operators, many in one launch, whose rates and decays lie in device memory.

A captured launch keeps the numbers that it was given by value; those in memory may be others at
each replay.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from .launch import kernel_of, launch
from .rows import floating
from .tensors import MOST, VALUES, settings
from .update import SINGLE, arranged, update

CHANGING = ("lr", "wd")  # the attributes that lie in memory


def has_kernel(name: str, specs: Sequence[Any]) -> bool:
    """Whether a call of an operator on arrays in C order of these specs can be one of many."""
    return name in SINGLE and floating(*specs) and len({s.shape for s in specs}) == 1


def run(
    xp: Any, name: str, attrs: Mapping[str, Any], data: Sequence[Any], rates: Any, first: int
) -> tuple:
    """Calls of one operator with these attributes, in at most `MOST`: new weights, then states.

    data  : weight, gradient and states of each, one after the other.
    rates : a rate of each call in the first row, a decay in the second; `first` of these calls.
    """
    single = SINGLE[name]
    stride = 2 + single.states + single.mixed
    factor = attrs[single.factor] if single.factor else 0.0
    made = [
        arranged(xp, data[i : i + stride], single.states, single.mixed, factor=factor)
        for i in range(0, len(data), stride)
    ]
    more = {"rates": rates[0, first:], "decays": rates[1, first:]}
    return update(xp, made, single.rule, attrs, **more)


def write(xp: Any, array: Any, values: np.ndarray, dtype: np.dtype) -> None:
    """Set an array in C order to values (float64), by launches that hold them.

    dtype : of the weights, for which the kernels have been compiled.
    """
    flat = values.reshape(-1)
    kernel = kernel_of(xp, "update", "set_values", **settings(dtype, dtype))
    for start in range(0, flat.size, VALUES):
        held = np.zeros(VALUES, np.float64)
        count = min(VALUES, flat.size - start)
        held[:count] = flat[start : start + count]
        launch(kernel, 1, 256, held, array.reshape(-1)[start:], np.int32(count))


__all__ = ["CHANGING", "MOST", "has_kernel", "run", "write"]
