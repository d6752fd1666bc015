"""Mixed precision as a switch: layers and operators used after `init` cast their inputs.

Parameters, and so the optimizer, stay in float32. Products (`list_lp16_ops`) are computed in 16
bits, what needs range or digits in 32 (`list_fp32_ops`), sums in the widest of their types, the
rest in the type that comes.

>>> amp = mx.contrib.amp
>>> "FullyConnected" in amp.list_lp16_ops("float16"), "exp" in amp.list_fp32_ops("float16")
(True, True)
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from ... import state
from ...gluon.trainer import Trainer
from ...module import BucketingModule  # noqa: F401 - MXNet has these names here, too
from ...ndarray import NDArray
from ...symbol import Symbol  # noqa: F401
from .convert import (
    convert_bucketing_module,
    convert_hybrid_block,
    convert_model,
    convert_symbol,
)
from .loss_scaler import LossScaler
from .rules import Caster, Conditions, Rules, check_initialized, lists_of, low_type

__all__ = [
    "convert_bucketing_module",
    "convert_hybrid_block",
    "convert_model",
    "convert_symbol",
    "init",
    "init_trainer",
    "list_conditional_fp32_ops",
    "list_fp32_ops",
    "list_loss_output_functions",
    "list_lp16_fp32_ops",
    "list_lp16_ops",
    "list_lp16_use_fp32_params",
    "list_widest_type_cast",
    "scale_loss",
    "unscale",
]


def init(
    target_dtype: Any = "float16",
    target_precision_ops: Sequence[str] | None = None,
    conditional_fp32_ops: Conditions | None = None,
    fp32_ops: Sequence[str] | None = None,
) -> None:
    """Switch mixed precision on for this process; a second call changes nothing.

    Graphs that are declared or traced from now on have casts in them, eager calls cast as they go.

    target_dtype : float16 or bfloat16.
    target_precision_ops, conditional_fp32_ops, fp32_ops : operators in place of MXNet's lists.
    """
    dtype = low_type(target_dtype)
    if state.precision is not None:
        return
    logging.info("mixed precision with %s", target_dtype)
    state.set_precision(Caster(Rules(dtype, target_precision_ops, fp32_ops, conditional_fp32_ops)))


def init_trainer(optimizer_or_trainer: Any) -> None:
    """Give a Trainer a `LossScaler`: steps whose gradients overflow are passed over."""
    if state.precision is None:
        raise AssertionError("AMP not initialized, did you forget to call amp.init()?")
    if not isinstance(optimizer_or_trainer, Trainer):
        raise TypeError(
            f"init_trainer expects a gluon Trainer, got {type(optimizer_or_trainer).__name__}"
        )
    optimizer_or_trainer._amp_loss_scaler = LossScaler()
    optimizer_or_trainer._amp_original_scale = optimizer_or_trainer._scale


@contextmanager
def scale_loss(loss: Any, optimizer_or_trainer: Trainer) -> Iterator[Any]:
    """The loss, or losses, times the loss scale; the Trainer divides gradients by it.

    ``with amp.scale_loss(loss, trainer) as scaled: autograd.backward(scaled)``
    """
    scale = check_initialized(optimizer_or_trainer).loss_scale
    optimizer_or_trainer._scale = optimizer_or_trainer._amp_original_scale / scale
    if isinstance(loss, NDArray):
        yield loss * scale
    else:
        yield [one * scale for one in loss]


def unscale(optimizer_or_trainer: Trainer) -> None:
    """Divide the gradients of a Trainer by the loss scale, e.g. to clip them before its step."""
    scale = check_initialized(optimizer_or_trainer).loss_scale
    for param in optimizer_or_trainer._params:
        if param.grad_req != "null":
            for grad in param.list_grad():
                grad[:] = grad / scale
    optimizer_or_trainer._scale = optimizer_or_trainer._amp_original_scale


# ---- lists -------------------------------------------------------------------------------------


def _names(target_dtype: Any, name: str) -> Any:
    lists, prefix = lists_of(low_type(target_dtype))
    return getattr(lists, name.replace("LOW", prefix), None)


def list_lp16_ops(target_dtype: Any) -> list[str]:
    """Operators that are computed in 16 bits."""
    return _names(target_dtype, "LOW_FUNCS")


def list_fp32_ops(target_dtype: Any) -> list[str]:
    """Operators that are computed in float32."""
    return _names(target_dtype, "FP32_FUNCS")


def list_lp16_fp32_ops(target_dtype: Any) -> list[str]:
    """Operators that are computed in the type of their inputs."""
    return _names(target_dtype, "LOW_FP32_FUNCS")


def list_conditional_fp32_ops(target_dtype: Any) -> list[tuple[str, str, list[str]]]:
    """Operators that are computed in float32 where an attribute has one of some values."""
    return _names(target_dtype, "CONDITIONAL_FP32_FUNCS")


def list_widest_type_cast(target_dtype: Any) -> list[str]:
    """Operators that are computed in the widest type among their inputs."""
    return _names(target_dtype, "WIDEST_TYPE_CASTS")


def list_loss_output_functions(target_dtype: Any) -> list[str]:
    """Heads that compute a loss and its gradient at once."""
    return _names(target_dtype, "LOSS_OUTPUT_FUNCTIONS")


def list_lp16_use_fp32_params(target_dtype: Any) -> dict[str, list[str]] | None:
    """Operators whose other inputs stay in float32, and these inputs; None for float16."""
    return _names(target_dtype, "LOW_USE_FP32_PARAMS")
