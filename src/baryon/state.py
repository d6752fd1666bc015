"""The calling thread's modes: recording for autograd, and training or predicting."""

from __future__ import annotations

import threading

from .native import native

__all__ = ["is_recording", "is_training", "set_recording", "set_training"]


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


if native is not None:  # the native fast path keeps the modes where it reads them
    is_recording, set_recording = native.is_recording, native.set_recording
    is_training, set_training = native.is_training, native.set_training
