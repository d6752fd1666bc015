"""Loggers with one short, coloured line a message (``mxnet.log``)."""

from __future__ import annotations

import logging
import sys
import warnings
from logging import CRITICAL, DEBUG, ERROR, INFO, NOTSET, WARNING
from typing import TextIO

__all__ = [
    "CRITICAL",
    "DEBUG",
    "ERROR",
    "INFO",
    "NOTSET",
    "WARNING",
    "getLogger",
    "get_logger",
]

_RED, _GREEN, _BLUE, _END = "\x1b[31m", "\x1b[32m", "\x1b[34m", "\x1b[0m"


class _Formatter(logging.Formatter):
    """``W1128 01:36:44 2231 file.py:train:29] message``, the head coloured by level."""

    def __init__(self, colored: bool) -> None:
        super().__init__(datefmt="%m%d %H:%M:%S")
        self._colored = colored

    @staticmethod
    def _color(level: int) -> str:
        if level >= WARNING:
            return _RED
        return _GREEN if level >= INFO else _BLUE

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802 - logging's name
        where = f"{record.process} {record.filename}:{record.funcName}:{record.lineno}"
        head = f"{record.levelname[:1]}{record.asctime} {where}]"
        if self._colored:
            head = f"{self._color(record.levelno)}{head}{_END}"
        return f"{head} {record.message}"

    def usesTime(self) -> bool:  # noqa: N802 - logging's name
        return True


class _Stderr(logging.StreamHandler):
    """Writes to what ``sys.stderr`` is when a message comes, not when the logger was made."""

    @property
    def stream(self) -> TextIO:  # type: ignore[override]
        return sys.stderr

    @stream.setter
    def stream(self, value: TextIO) -> None:
        pass


def get_logger(
    name: str | None = None,
    filename: str | None = None,
    filemode: str | None = None,
    level: int = WARNING,
) -> logging.Logger:
    """A logger that writes to a file, or to the terminal in colours.

    filemode : how to open the file, ``"a"`` by default.
    A logger of the same name that was made here before only gets the new level.

    >>> mx.log.get_logger("training", level=mx.log.INFO).level == mx.log.INFO
    True
    """
    logger = logging.getLogger(name)
    if name is not None and not getattr(logger, "_baryon_ready", False):
        logger._baryon_ready = True  # type: ignore[attr-defined]
        handler: logging.Handler
        handler = logging.FileHandler(filename, filemode or "a") if filename else _Stderr()
        colored = not filename and sys.stderr.isatty()
        handler.setFormatter(_Formatter(colored))
        logger.addHandler(handler)
    logger.setLevel(level)
    return logger


def getLogger(  # noqa: N802 - MXNet's name
    name: str | None = None,
    filename: str | None = None,
    filemode: str | None = None,
    level: int = WARNING,
) -> logging.Logger:
    """`get_logger` by its old name."""
    warnings.warn("getLogger is deprecated; use get_logger", DeprecationWarning, stacklevel=2)
    return get_logger(name, filename, filemode, level)
