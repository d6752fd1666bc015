"""Metrics as TensorBoard's event files, written without any of its packages."""

from __future__ import annotations

import os
import socket
import struct
import time
from typing import Any

__all__ = ["LogMetricsCallback"]


def _crc_table() -> tuple[int, ...]:
    """CRC-32C (Castagnoli) of every byte."""
    table = []
    for value in range(256):
        for _ in range(8):
            value = value >> 1 ^ (0x82F63B78 if value & 1 else 0)
        table.append(value)
    return tuple(table)


_TABLE = _crc_table()


def _masked_crc(data: bytes) -> bytes:
    """The checksum that follows lengths and records: rotated, so that it can be summed again."""
    crc = 0xFFFFFFFF
    for byte in data:
        crc = _TABLE[(crc ^ byte) & 0xFF] ^ crc >> 8
    crc ^= 0xFFFFFFFF
    return struct.pack("<I", ((crc >> 15 | crc << 17) + 0xA282EAD8) & 0xFFFFFFFF)


def _record(data: bytes) -> bytes:
    """One record of a TFRecord file."""
    length = struct.pack("<Q", len(data))
    return length + _masked_crc(length) + data + _masked_crc(data)


# ---- protocol buffers: a key of field number and kind, then the value ----------------------


def _varint(value: int) -> bytes:
    value &= (1 << 64) - 1
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes((*out, value))


def _field(number: int, data: bytes) -> bytes:
    """Bytes, text or a message."""
    return _varint(number << 3 | 2) + _varint(len(data)) + data


def _event(wall_time: float, step: int, what: bytes) -> bytes:
    """The message ``Event``: when, which step, and one of its other fields."""
    head = b"\x09" + struct.pack("<d", wall_time)
    return head + (b"\x10" + _varint(step) if step else b"") + what


def _scalar(tag: str, value: float) -> bytes:
    """An ``Event``'s summary of one number."""
    number = b"\x15" + struct.pack("<f", value)
    return _field(5, _field(1, _field(1, tag.encode()) + number))


class _EventFile:
    """A file of events, flushed after each, so that TensorBoard shows them at once."""

    def __init__(self, folder: str) -> None:
        os.makedirs(folder, exist_ok=True)
        name = f"events.out.tfevents.{int(time.time())}.{socket.gethostname()}.{os.getpid()}"
        self._file = open(os.path.join(folder, name), "ab")  # noqa: SIM115 - closed by `close`
        self._write(_event(time.time(), 0, _field(3, b"brain.Event:2")))

    def _write(self, event: bytes) -> None:
        self._file.write(_record(event))
        self._file.flush()

    def add_scalar(self, tag: str, value: float, step: int) -> None:
        """Append one number."""
        self._write(_event(time.time(), step, _scalar(tag, value)))

    def close(self) -> None:
        """Close the file."""
        self._file.close()


class LogMetricsCallback:
    """A batch callback that writes the metrics for TensorBoard, which reads `logging_dir`.

    prefix : put in front of the metrics' names, with a ``-``.

    >>> log = mx.contrib.tensorboard.LogMetricsCallback("logs", prefix="train")
    >>> metric = mx.metric.Accuracy()
    >>> metric.update(mx.nd.array([1]), mx.nd.array([[0, 1]]))
    >>> log(mx.model.BatchEndParam(epoch=0, nbatch=1, eval_metric=metric, locals=None))
    """

    def __init__(self, logging_dir: str | os.PathLike, prefix: str | None = None) -> None:
        self.prefix = prefix
        self.step = 0
        self._events = _EventFile(os.fspath(logging_dir))

    def __call__(self, param: Any) -> None:
        """Write the metrics of a batch."""
        self.step += 1
        if param.eval_metric is None:
            return
        for name, value in param.eval_metric.get_name_value():
            tag = name if self.prefix is None else f"{self.prefix}-{name}"
            self._events.add_scalar(tag, float(value), self.step)

    def close(self) -> None:
        """Close the event file."""
        self._events.close()

    def __del__(self) -> None:
        events = getattr(self, "_events", None)
        if events is not None:
            events.close()
