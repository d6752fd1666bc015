"""Reading files, and writing them so that they are either the old or the new content, whole."""

from __future__ import annotations

import os
from collections.abc import Iterable
from typing import BinaryIO

from .base import MXNetError


class NoSuchFile(MXNetError, FileNotFoundError):
    """A file that is not there: an error of MXNet's kind, and of Python's."""

    __init__ = FileNotFoundError.__init__  # of the two the one that keeps what it is given
    __str__ = FileNotFoundError.__str__


def open_binary(path: str | os.PathLike) -> BinaryIO:
    """A file opened for reading bytes; `NoSuchFile` where there is none."""
    try:
        return open(path, "rb")
    except FileNotFoundError as error:
        raise NoSuchFile(error.errno, error.strerror, error.filename) from None


def write_atomically(path: str | os.PathLike, chunks: Iterable[bytes | memoryview]) -> None:
    """Write a file so that a crash at any moment leaves the old content or all of the new.

    The bytes go to a hidden file beside it, reach the disk, and take its name at last.
    """
    target = os.path.realpath(os.fspath(path))
    folder, name = os.path.split(target)
    temporary = os.path.join(folder, f".{name}.{os.urandom(4).hex()}.tmp")
    try:
        with open(temporary, "xb") as file:
            for chunk in chunks:
                file.write(chunk)
            file.flush()
            os.fsync(file.fileno())
        if os.path.exists(target):
            os.chmod(temporary, os.stat(target).st_mode & 0o7777)
        os.replace(temporary, target)
    except BaseException:
        if os.path.exists(temporary):
            os.unlink(temporary)
        raise
