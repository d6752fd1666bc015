"""Where the matrices and biases of the fused recurrent network lie in its parameters."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..base import MXNetError
from .rnn_steps import GATES, Weights
from .rules import MOST_TENSORS


def directions(attrs: Any) -> int:
    """2 for a bidirectional network, else 1."""
    return 2 if attrs.bidirectional else 1


def layout(attrs: Any, inputs: int) -> list[list[tuple[int, tuple[int, ...]]]]:
    """Offset and shape of wx, wh, wr, bx, bh in the parameters, by layer and direction.

    All matrices come first, then all biases; without projection wr has size 0.
    """
    units, width = attrs.state_size, attrs.projection_size or attrs.state_size
    rows, offset, found = GATES[attrs.mode] * units, 0, []
    projected = (attrs.projection_size or 0, units)
    if not 0 < attrs.num_layers <= MOST_TENSORS:
        raise MXNetError(f"num_layers must be from 1 to {MOST_TENSORS}, got {attrs.num_layers}")
    for layer in range(attrs.num_layers):
        fan_in = inputs if layer == 0 else width * directions(attrs)
        for _ in range(directions(attrs)):
            found.append([])
            for shape in ((rows, fan_in), (rows, width), projected):
                found[-1].append((offset, shape))
                offset += shape[0] * shape[1]
    for places in found:
        for _ in range(2):
            places.append((offset, (rows,)))
            offset += rows
    return found


def parameter_size(attrs: Any, inputs: int) -> int:
    """Length of the parameter vector for data with `inputs` features."""
    return layout(attrs, inputs)[-1][-1][0] + GATES[attrs.mode] * attrs.state_size


def views(attrs: Any, parameters: Any, inputs: int) -> list[Weights]:
    """Matrices and biases in the parameters, by layer and direction."""
    found = []
    for places in layout(attrs, inputs):
        parts = [
            parameters[offset : offset + int(np.prod(shape))].reshape(shape)
            for offset, shape in places
        ]
        found.append(Weights(*(p if p.size else None for p in parts)))
    return found
