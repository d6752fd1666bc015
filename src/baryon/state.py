"""The calling thread's modes: recording for autograd, and training or predicting."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

from .native import native

__all__ = ["is_recording", "is_training", "set_precision", "set_recording", "set_training"]


class _Modes(threading.local):
    recording = False
    training = False


_modes = _Modes()


def is_recording() -> bool:
    """Whether calls are recorded on the tape."""
    return _modes.recording


def set_recording(active: bool) -> bool:
    """Start or stop recording; what it was before."""
    before, _modes.recording = _modes.recording, bool(active)
    return before


def is_training() -> bool:
    """Whether operators run in training mode."""
    return _modes.training


def set_training(active: bool) -> bool:
    """Switch between training and predicting; what it was before."""
    before, _modes.training = _modes.training, bool(active)
    return before


precision: Callable[[Any, list, Any], list] | None = None
"""Mixed precision: ``(op, inputs, attrs)`` -> the inputs that a call shall have, in all threads."""


def set_precision(casts: Callable[[Any, list, Any], list] | None) -> None:
    """Have the inputs of all calls, on arrays and on symbols, pass through a function."""
    global precision
    precision = casts
    _choose_path()


listener: Callable[[str, int, int], None] | None = None
"""What eager calls are told to: operator, begin and end in nanoseconds."""


def set_listener(hears: Callable[[str, int, int], None] | None) -> None:
    """Have all eager calls be timed, or none."""
    global listener
    listener = hears
    _choose_path()


def _choose_path() -> None:
    """The native fast path knows nothing of those who look at every call."""
    if native is not None:
        native.set_fast_calls(precision is None and listener is None)


if native is not None:  # the native fast path keeps the modes where it reads them
    is_recording, set_recording = native.is_recording, native.set_recording
    is_training, set_training = native.is_training, native.set_training
