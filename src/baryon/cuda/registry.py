"""Kernels by operator name, and `implementation`, which finds the one of an operator."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from importlib import import_module
from typing import Any

from ..ops.entry import Op

Implementation = Callable[..., Any]

# Modules of this package whose import adds kernels.
FAMILIES: tuple[str, ...] = (
    "softmax",
    "norm",
    "batch_norm",
    "pooling",
    "columns",
    "update",
    "update_phases",
    "dropout",
    "gather",
    "rnn",
    "products",
    "fully_connected",
    "convolution",
    "layout",
    "attention",
    "sdpa",
    "regions",
    "boxes",
    "detector",
    "sampling",
    "ctc",
    "indexing",
    "planes",
    "shifted",
    "padding",
    "counting",
    "entropy",
    "deconvolution",
    "batch_norm_other",
    "activation",
    "chain",
)

_KERNELS: dict[str, Implementation] = {}
_JOINS: dict[str, Callable[[Mapping[str, Any]], bool]] = {}


def kernel(
    *names: str, joins: Callable[[Mapping[str, Any]], bool] | None = None
) -> Callable[[Implementation], Implementation]:
    """Decorate what computes operators of these names on a GPU.

    It is called as their bodies are, ``(xp, *inputs, **attributes)``, with arrays of one device
    that is current, and gives what they give; or ``NotImplemented`` for a case that it leaves to
    the body. What it asks `launch.output` for may be where its result shall be, and may lie exactly
    where the input lies whose memory the operator lets that output take over. New values of mutated
    inputs are written in place, or new arrays. It never waits for the device.

    joins : of a fused operator, by attributes: whether one call is better than its parts.
    """

    def declare(function: Implementation) -> Implementation:
        for name in names:
            if name in _KERNELS:
                raise ValueError(f"operator {name} has two CUDA kernels")
            _KERNELS[name] = function
            if joins is not None:
                _JOINS[name] = joins
        return function

    return declare


def joins(op: Op, attrs: Mapping[str, Any]) -> bool:
    """Whether an operator's kernel does with these attributes better than its parts."""
    _load()
    return op.name in _JOINS and _JOINS[op.name](attrs)


def _load() -> None:
    for family in FAMILIES:
        import_module(f"{__package__}.{family}")


def implementation(op: Op) -> Implementation | None:
    """What computes an operator on a GPU in place of its body, if anything does (see `kernel`)."""
    _load()
    from .chain import alone

    return _KERNELS.get(op.name) or alone(op)
