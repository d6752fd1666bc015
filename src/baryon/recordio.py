"""RecordIO: many binary records in one file, and images packed into them (``mxnet.recordio``).

A record is the magic number, a word of its kind (3 bits) and length (29 bits), the content, and
zeros up to a multiple of 4 bytes. Where the content itself holds the magic number at such a
multiple, the record is cut in parts there, and the number left out. A packed image begins with an
`IRHeader`: flag, label and two ids, 24 bytes, and, if ``flag`` is not 0, that many labels more.
"""

from __future__ import annotations

import os
import struct
from collections import namedtuple
from collections.abc import Callable, Iterator
from typing import Any, BinaryIO

import numpy as np

from .base import MXNetError
from .pixels import decode, encode

__all__ = [
    "IRHeader",
    "MXIndexedRecordIO",
    "MXRecordIO",
    "pack",
    "pack_img",
    "unpack",
    "unpack_img",
]

_MAGIC = 0xCED7230A
_MAGIC_BYTES = struct.pack("<I", _MAGIC)
_HEAD = struct.Struct("<II")
_WHOLE, _FIRST, _MIDDLE, _LAST = range(4)
_MOST = (1 << 29) - 1

IRHeader = namedtuple("HEADER", ["flag", "label", "id", "id2"])
IRHeader.__doc__ = (
    """Header of a packed record: ``flag``, ``label`` (a number or several), two ids."""
)
_IR = struct.Struct("<IfQQ")


# ---- records and bytes ---------------------------------------------------------------------------


def _parts(content: bytes) -> list[bytes]:
    """The content between the aligned magic numbers in it."""
    parts, start, found = [], 0, content.find(_MAGIC_BYTES)
    while found >= 0:
        if found % 4 == 0:
            parts.append(content[start:found])
            start = found + 4
            found = content.find(_MAGIC_BYTES, start)
        else:
            found = content.find(_MAGIC_BYTES, found + 1)
    return [*parts, content[start:]]


def _encoded(content: bytes) -> Iterator[bytes]:
    parts = _parts(content)
    for i, part in enumerate(parts):
        kind = _WHOLE
        if len(parts) > 1:
            kind = _FIRST if i == 0 else _LAST if i == len(parts) - 1 else _MIDDLE
        yield _HEAD.pack(_MAGIC, kind << 29 | len(part))
        yield part
        yield bytes(-len(part) % 4)


def read_record(file: BinaryIO | RecordCursor, name: str) -> bytes | None:
    """The next record of a file, None at its end; MXNetError where it is damaged."""
    parts: list[bytes] = []
    while True:
        place = file.tell()
        head = file.read(8)
        if not head and not parts:
            return None
        kind, content = _read_part(file, head, f"{name}: record at byte {place}")
        starts = kind in (_WHOLE, _FIRST)
        if starts == bool(parts):
            raise MXNetError(f"{name}: record at byte {place}: a part of kind {kind} out of order")
        parts.append(content)
        if kind in (_WHOLE, _LAST):
            return _MAGIC_BYTES.join(parts)


def _read_part(file: BinaryIO | RecordCursor, head: bytes, where: str) -> tuple[int, bytes]:
    if len(head) < 8:
        raise MXNetError(f"{where}: the file ends within its head, after {len(head)} of 8 bytes")
    magic, word = _HEAD.unpack(head)
    if magic != _MAGIC:
        raise MXNetError(
            f"{where}: Invalid RecordIO File: expected magic {_MAGIC:#x}, got {magic:#x}"
        )
    kind, length = word >> 29, word & _MOST
    padded = length + -length % 4
    content = file.read(padded)
    if len(content) < padded:
        raise MXNetError(f"{where}: {padded} bytes expected, the file ends after {len(content)}")
    return kind, content[:length]


class RecordCursor:
    """A place in an open file, read without moving the file's own position: for threads."""

    def __init__(self, descriptor: int, place: int) -> None:
        self._descriptor, self._place = descriptor, place

    def tell(self) -> int:
        """Where the next byte comes from."""
        return self._place

    def read(self, count: int) -> bytes:
        """The next bytes; fewer at the end of the file."""
        content = os.pread(self._descriptor, count, self._place)
        self._place += len(content)
        return content


# ---- files ---------------------------------------------------------------------------------------


class MXRecordIO:
    """A file of records, read (``flag="r"``) or written (``"w"``) one after the other.

    A pickled reader opens its file anew where it is unpickled. A forked child process may use the
    parent's file only after `reset`, since they would move each other's position.

    >>> import tempfile, os
    >>> path = os.path.join(tempfile.mkdtemp(), "a.rec")
    >>> record = mx.recordio.MXRecordIO(path, "w")
    >>> record.write(b"first"); record.write(b"second"); record.close()
    >>> record = mx.recordio.MXRecordIO(path, "r")
    >>> record.read(), record.read(), record.read()
    (b'first', b'second', None)
    """

    def __init__(self, uri: str | os.PathLike, flag: str) -> None:
        self.uri = os.fspath(uri)
        self.flag = flag
        self.is_open = False
        self.open()

    def open(self) -> None:
        """Open the file, from its beginning; writing empties it."""
        if self.flag not in ("r", "w"):
            raise ValueError(f"Invalid flag {self.flag}: expected 'r' or 'w'")
        self.writable = self.flag == "w"
        try:
            self.handle = open(self.uri, "wb" if self.writable else "rb")  # noqa: SIM115
        except OSError as error:
            raise MXNetError(f"MXRecordIO: cannot open {self.uri}: {error.strerror}") from error
        self.pid = os.getpid()
        self.is_open = True

    def close(self) -> None:
        """Close the file."""
        if self.is_open:
            self.handle.close()
            self.is_open = False
            self.pid = None

    def __del__(self) -> None:
        if getattr(self, "is_open", False):
            self.close()

    def __getstate__(self) -> dict[str, Any]:
        if self.writable:
            raise MXNetError(
                f"a record file being written cannot be pickled: {self.uri} would be emptied"
            )
        state = dict(self.__dict__)
        del state["handle"], state["pid"]
        return state

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__ = state
        was_open, self.is_open = self.is_open, False
        if was_open:
            self.open()

    def _usable(self, writing: bool, may_reset: bool = False) -> None:
        """Check that the file can be read (or written) here."""
        if self.writable != writing:
            done = "written" if writing else "read"
            raise MXNetError(f"MXRecordIO: {self.uri} was opened with {self.flag!r}, not {done}")
        if not self.is_open:
            raise MXNetError(f"MXRecordIO: {self.uri} is closed")
        if self.pid != os.getpid():
            if not may_reset:
                raise RuntimeError(
                    f"Forbidden operation in multiple processes: {self.uri} was opened by another; "
                    "call reset() first"
                )
            self.reset()

    def reset(self) -> None:
        """Begin again; a file that is written is emptied."""
        self.close()
        self.open()

    def write(self, buf: bytes) -> None:
        """Append a record."""
        self._usable(writing=True)
        content = bytes(memoryview(buf))
        if len(content) > _MOST:
            raise MXNetError(f"a record holds at most {_MOST} bytes, got {len(content)}")
        for chunk in _encoded(content):
            self.handle.write(chunk)

    def read(self) -> bytes | None:
        """The next record; None at the end."""
        self._usable(writing=False)
        return read_record(self.handle, self.uri)


class MXIndexedRecordIO(MXRecordIO):
    """A file of records read by key, beside an index of lines ``key TAB position``.

    key_type : what makes a key of its text.

    >>> import tempfile, os
    >>> folder = tempfile.mkdtemp()
    >>> paths = os.path.join(folder, "a.idx"), os.path.join(folder, "a.rec")
    >>> record = mx.recordio.MXIndexedRecordIO(*paths, "w")
    >>> record.write_idx(7, b"seven"); record.write_idx(8, b"eight"); record.close()
    >>> record = mx.recordio.MXIndexedRecordIO(*paths, "r")
    >>> record.keys, record.read_idx(8)
    ([7, 8], b'eight')
    """

    def __init__(
        self,
        idx_path: str | os.PathLike,
        uri: str | os.PathLike,
        flag: str,
        key_type: Callable[[str], Any] = int,
    ) -> None:
        self.idx_path = os.fspath(idx_path)
        self.idx: dict[Any, int] = {}
        self.keys: list[Any] = []
        self.key_type = key_type
        self.fidx = None
        super().__init__(uri, flag)

    def open(self) -> None:
        """Open both files, from their beginning; writing empties them."""
        super().open()
        self.idx, self.keys = {}, []
        if self.writable:
            self.fidx = open(self.idx_path, "w")  # noqa: SIM115
            return
        for key, position in read_index(self.idx_path, self.key_type):
            self.idx[key] = position
            self.keys.append(key)

    def close(self) -> None:
        """Close both files."""
        super().close()
        if self.fidx is not None:
            self.fidx.close()
            self.fidx = None

    def seek(self, idx: Any) -> None:
        """Go to the record of a key, which `read` then gives."""
        self._usable(writing=False, may_reset=True)
        self.handle.seek(self.idx[idx])

    def tell(self) -> int:
        """Where the next record will be written."""
        self._usable(writing=True)
        return self.handle.tell()

    def read_idx(self, idx: Any) -> bytes | None:
        """The record of a key; KeyError where there is none. Several threads may read at once."""
        self._usable(writing=False, may_reset=True)
        cursor = RecordCursor(self.handle.fileno(), self.idx[idx])
        record = read_record(cursor, self.uri)
        self.handle.seek(cursor.tell())
        return record

    def write_idx(self, idx: Any, buf: bytes) -> None:
        """Append a record under a key."""
        key = self.key_type(idx)
        position = self.tell()
        self.write(buf)
        self.fidx.write(f"{key}\t{position}\n")
        self.idx[key] = position
        self.keys.append(key)


def read_index(
    path: str | os.PathLike, key_type: Callable[[str], Any] = int
) -> list[tuple[Any, int]]:
    """Keys and positions in an index file; MXNetError, naming the line, where it is damaged."""
    pairs = []
    with open(path) as lines:
        for number, line in enumerate(lines, 1):
            fields = line.split("\t")
            try:
                pairs.append((key_type(fields[0].strip()), int(fields[1])))
            except (IndexError, ValueError):
                raise MXNetError(
                    f"{path}, line {number}: expected 'key TAB position', got {line[:80]!r}"
                ) from None
    return pairs


def record_positions(path: str | os.PathLike) -> list[int]:
    """Where each record of a file begins, by its heads alone."""
    positions = []
    with open(path, "rb") as file:
        descriptor, place = file.fileno(), 0
        size = os.fstat(descriptor).st_size
        while place < size:
            head = os.pread(descriptor, 8, place)
            magic, word = _HEAD.unpack(head) if len(head) == 8 else (0, 0)
            length = word & _MOST
            stop = place + 8 + length + -length % 4
            if magic != _MAGIC or stop > size:
                raise MXNetError(f"{path}: Invalid RecordIO File: damaged record at byte {place}")
            if word >> 29 in (_WHOLE, _FIRST):
                positions.append(place)
            place = stop
    return positions


# ---- packed samples ------------------------------------------------------------------------------


def pack(header: Any, s: bytes) -> bytes:
    """A record of a header ``(flag, label, id, id2)`` and content.

    A label that is one number is kept in the header, and ``flag`` becomes 0; several (a list or
    array) follow it, and ``flag`` becomes their count.

    >>> record = mx.recordio.pack(mx.recordio.IRHeader(0, [1, 2], 7, 0), b"content")
    >>> mx.recordio.unpack(record)
    (HEADER(flag=2, label=array([1., 2.], dtype=float32), id=7, id2=0), b'content')
    """
    header = IRHeader(*header)
    if np.ndim(header.label) == 0 and not hasattr(header.label, "asnumpy"):
        header = header._replace(flag=0)
        labels = b""
    else:
        label = header.label
        values = np.asarray(label.asnumpy() if hasattr(label, "asnumpy") else label, np.float32)
        header = header._replace(flag=values.size, label=0)
        labels = values.tobytes()
    try:
        head = _IR.pack(header.flag, float(header.label), header.id, header.id2)
    except (struct.error, OverflowError) as error:
        raise MXNetError(f"pack: {header} does not fit an IRHeader: {error}") from error
    return head + labels + bytes(s)


def unpack(s: bytes) -> tuple[Any, bytes]:
    """Header and content of a packed record; MXNetError where it is too short."""
    if len(s) < _IR.size:
        raise MXNetError(f"unpack: a header has {_IR.size} bytes, the record {len(s)}")
    header, content = IRHeader(*_IR.unpack_from(s)), s[_IR.size :]
    if header.flag == 0:
        return header, content
    size = 4 * header.flag
    if len(content) < size:
        raise MXNetError(f"unpack: {header.flag} labels need {size} bytes, got {len(content)}")
    label = np.frombuffer(content[:size], np.float32)
    return header._replace(label=label), content[size:]


def pack_img(header: Any, img: Any, quality: int = 95, img_fmt: str = ".jpg") -> bytes:
    """A record of a header and an image, compressed.

    img : 8-bit pixels (h, w, 3), blue first, or (h, w) grey.    img_fmt : ".jpg" or ".png".
    quality : of a JPEG, 0 to 100; of a PNG its compression, 0 to 9.

    >>> red = np.zeros((4, 5, 3), np.uint8); red[..., 2] = 255
    >>> record = mx.recordio.pack_img((0, 1.0, 7, 0), red, img_fmt=".png")
    >>> header, image = mx.recordio.unpack_img(record)
    >>> header.label, bool((image == red).all())
    (1.0, True)
    """
    return pack(header, encode(img, img_fmt, quality))


def unpack_img(s: bytes, iscolor: int = -1) -> tuple[Any, np.ndarray]:
    """Header and pixels of a packed image, blue first.

    iscolor : 1 for (h, w, 3), 0 for grey (h, w), -1 for whatever the image has.
    """
    header, content = unpack(s)
    image = decode(content, iscolor, to_rgb=False, name="unpack_img")
    return header, image[:, :, 0] if image.shape[2] == 1 else image
