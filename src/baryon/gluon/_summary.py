"""The table that `Block.summary` prints."""

from __future__ import annotations

from typing import Any

from ..symbol import Symbol
from ._structure import first_tensor, tensors
from .utils import ArgumentError

_WIDTH = 80
_ROW = "{:>20}  {:>42} {:>15}"


def summarize(block: Any, inputs: tuple) -> str:
    """Run `block` once on `inputs` and tell each layer's output shape and parameter count."""
    rows: list[list] = [["Input", _shape(inputs), 0, 0, 0]]
    seen: set[int] = set()
    handles: list = []

    def watch(layer: Any) -> None:
        if type(layer).__name__ in ("Sequential", "HybridSequential"):
            return
        if getattr(layer, "_active", False):
            raise ArgumentError(f'"{layer.name}" must not be hybridized to print summary.')
        handles.append(layer.register_forward_hook(note))

    def note(layer: Any, _: tuple, outputs: Any) -> None:
        if isinstance(first_tensor(outputs), Symbol):  # shapes are being inferred
            return
        total = trainable = shared = 0
        for param in layer.params.values():
            size = param.data().size
            total += size
            trainable += 0 if param.grad_req == "null" else size
            shared += size if id(param) in seen else 0
            seen.add(id(param))
        name = f"{type(layer).__name__}-{len(rows)}"
        rows.append([name, _shape(outputs), total, trainable, shared])

    try:
        block.apply(watch)
        block(*inputs)
    finally:
        for handle in handles:
            handle.detach()
    return _table(rows)


def _shape(value: Any) -> str:
    """Shapes of the arrays in a nested structure."""
    return ", ".join(str(tensor.shape) for tensor in tensors(value))


def _table(rows: list[list]) -> str:
    total, trainable, shared = (sum(row[i] for row in rows) for i in (2, 3, 4))
    lines = [
        "-" * _WIDTH,
        _ROW.format("Layer (type)", "Output Shape", "Param #"),
        "=" * _WIDTH,
        *(_ROW.format(*row[:3]) for row in rows),
        "=" * _WIDTH,
        "Parameters in forward computation graph, duplicate included",
        f"   Total params: {total}",
        f"   Trainable params: {trainable}",
        f"   Non-trainable params: {total - trainable}",
        f"Shared params in forward computation graph: {shared}",
        f"Unique parameters in model: {total - shared}",
        "-" * _WIDTH,
    ]
    return "\n".join(lines)
