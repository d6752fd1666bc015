"""MXNet's ``.params`` files: `save`, `load` and `load_frombuffer`.

All numbers are little-endian. A file is uint64 0x112, uint64 0, uint64 count, the arrays, uint64
number of names, and the names (uint64 length, bytes). An array is uint32 magic, int32 storage
type, shape (int32 ndim, int64 sizes), int32 device type and number, int32 type code, data. Older
magics lack the storage type (V1) or consist of the ndim itself with uint32 sizes (the oldest).
"""

from __future__ import annotations

import io
import math
import os
import struct
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, BinaryIO

import numpy as np

from .. import backend
from ..base import MXNetError
from ..context import Context, num_gpus
from ..dtypes import BY_CODE, dtype_code
from ..files import open_binary, write_atomically
from ..ops.stored import INDEX, STYPES, Csr, RowSparse, Stored
from ..util import is_np_shape
from .ndarray import NDArray
from .sparse_arrays import on_device

_LIST_MAGIC = 0x112
_V1, _V2, _V3 = 0xF993FAC8, 0xF993FAC9, 0xF993FACA
_AUX_COUNT = {0: 0, 1: 1, 2: 2}  # dense, row_sparse (indices), csr (indptr, indices)
_MAX_NDIM = 32


# ---- writing -------------------------------------------------------------------------------------


def save(fname: str | os.PathLike, data: NDArray | Sequence[NDArray] | Mapping[str, Any]) -> None:
    """Save an array, a list of arrays or a dict from names to arrays, in MXNet's format.

    The file is replaced as a whole: a save that is cut off leaves the old one.

    >>> import tempfile, os
    >>> path = os.path.join(tempfile.mkdtemp(), "weights.params")
    >>> mx.nd.save(path, {"w": mx.nd.ones((2,))})
    >>> mx.nd.load(path)["w"].asnumpy()
    array([1., 1.], dtype=float32)
    """
    write_atomically(fname, _file_chunks(*_named(data)))


def _named(data: Any) -> tuple[list[NDArray], list[str]]:
    if isinstance(data, NDArray):
        data = [data]
    if isinstance(data, Mapping):
        arrays, names = list(data.values()), list(data)
    elif isinstance(data, (list, tuple)):
        arrays, names = list(data), []
    else:
        raise ValueError(
            "data needs to be an NDArray, a dict of str to NDArray or a list of NDArrays, "
            f"got {type(data).__name__}"
        )
    for name in names:
        if not isinstance(name, str):
            raise TypeError(f"save only accepts dict str->NDArray, got the name {name!r}")
    for value in arrays:
        if not isinstance(value, NDArray):
            raise TypeError(f"save only accepts NDArrays, got {type(value).__name__}")
    return arrays, names


def _file_chunks(arrays: list[NDArray], names: list[str]) -> Iterator[Any]:
    yield struct.pack("<QQQ", _LIST_MAGIC, 0, len(arrays))
    for x in arrays:
        yield from _array_chunks(x)
    yield struct.pack("<Q", len(names))
    for name in names:
        text = name.encode()
        yield struct.pack("<Q", len(text)) + text


def _array_chunks(x: NDArray) -> Iterator[Any]:
    shape, ctx = x.shape, x.context
    plain = shape and 0 not in shape and not is_np_shape()
    magic = _V2 if plain else _V3  # V2 cannot say 0-d or zero-size
    storage = STYPES.index(x.stype)
    data, *aux = _host_parts(x._data)
    yield struct.pack("<Ii", magic, storage)
    for dims in (data.shape, shape) if storage else (shape,):
        yield struct.pack(f"<i{len(dims)}q", len(dims), *dims)
    yield struct.pack("<iii", ctx.device_typeid, ctx.device_id, dtype_code(x.dtype))
    for part in aux:
        yield struct.pack("<iiq", dtype_code(part.dtype), 1, len(part))
    for part in (data, *aux):
        yield part.reshape(-1).view(np.uint8).data


def _host_parts(raw: Any) -> list[np.ndarray]:
    """The values of an array and, of a sparse one, its positions as files order them."""
    parts = [raw]
    if isinstance(raw, Stored):
        parts = [raw.values, raw.indices]
        if isinstance(raw, Csr):
            parts.insert(1, raw.indptr)
    return [p if isinstance(p, np.ndarray) else backend.of_array(p).to_numpy(p) for p in parts]


def array_bytes(x: NDArray) -> bytes:
    """One array as the bytes that files hold for it."""
    return b"".join(bytes(chunk) for chunk in _array_chunks(x))


# ---- reading -------------------------------------------------------------------------------------


class _Reader:
    """Reads numbers and arrays from a stream; never asks for more than the stream still holds."""

    def __init__(self, stream: BinaryIO, name: str) -> None:
        self._stream = stream
        self._name = name
        self._end = stream.seek(0, os.SEEK_END)
        stream.seek(0)
        self.part = "the header"

    def fail(self, why: str) -> MXNetError:
        """The error of a file that is wrong in the current part."""
        return MXNetError(f"{self._name}: {self.part}: {why}")

    def need(self, count: int) -> None:
        """MXNetError unless `count` bytes are left."""
        left = self._end - self._stream.tell()
        if count > left:
            raise self.fail(f"truncated or corrupt: needs {count} more bytes, {left} are left")

    def numbers(self, layout: str) -> tuple:
        """Unpack little-endian numbers."""
        size = struct.calcsize("<" + layout)
        self.need(size)
        return struct.unpack("<" + layout, self._stream.read(size))

    def text(self, size: int) -> str:
        """A UTF-8 string of `size` bytes."""
        self.need(size)
        try:
            return self._stream.read(size).decode()
        except UnicodeDecodeError:
            raise self.fail("a name is not valid UTF-8") from None

    def shape(self, ndim: int | None = None, kind: str = "q") -> tuple[int, ...]:
        """A shape; its number of dimensions first unless it is known."""
        ndim = self.numbers("i")[0] if ndim is None else ndim
        if not -1 <= ndim <= _MAX_NDIM:
            raise self.fail(f"corrupt: an array of {ndim} dimensions")
        dims = self.numbers(f"{max(ndim, 0)}{kind}")
        if any(d < 0 for d in dims):
            raise self.fail(f"corrupt: a shape of {dims}")
        return dims

    def dtype(self) -> np.dtype:
        """An element type by its code."""
        code = self.numbers("i")[0]
        if code not in BY_CODE:
            raise self.fail(f"corrupt or unsupported: unknown type code {code}")
        return BY_CODE[code]

    def values(self, shape: tuple[int, ...], dtype: np.dtype) -> np.ndarray:
        """A dense block of values."""
        count = math.prod(shape)
        self.need(count * dtype.itemsize)
        data = np.empty(count, dtype)
        if count:
            self._stream.readinto(data.view(np.uint8).data)
        return data.reshape(shape)

    def finish(self) -> None:
        """MXNetError unless everything has been read."""
        left = self._end - self._stream.tell()
        if left:
            raise self.fail(f"corrupt: {left} bytes follow the end")


def load(fname: str | os.PathLike) -> list[NDArray] | dict[str, NDArray]:
    """Read arrays that `save`, or MXNet, wrote: a dict where they have names, else a list.

    MXNetError that names the file and the place when it is truncated or corrupt.

    >>> import pathlib, tempfile
    >>> path = pathlib.Path(tempfile.mkdtemp(), "x.params")
    >>> mx.nd.save(path, {"x": mx.nd.ones((2,))})
    >>> mx.nd.load(path)["x"].asnumpy()
    array([1., 1.], dtype=float32)
    """
    with open_binary(fname) as file:
        return _read_file(_Reader(file, os.fspath(fname)))


def load_frombuffer(buf: bytes) -> list[NDArray] | dict[str, NDArray]:
    """Read arrays from the bytes of a file.

    >>> import pathlib, tempfile
    >>> path = pathlib.Path(tempfile.mkdtemp(), "x.params")
    >>> mx.nd.save(path, [mx.nd.ones((2,))])
    >>> mx.nd.load_frombuffer(path.read_bytes())[0].asnumpy()
    array([1., 1.], dtype=float32)
    """
    if not isinstance(buf, (bytes, bytearray, memoryview)):
        raise ValueError(f"buf needs to be bytes, got {type(buf).__name__}")
    return _read_file(_Reader(io.BytesIO(buf), "buffer"))


def read_array(data: bytes) -> NDArray | None:
    """One array from its bytes (None: an empty handle)."""
    reader = _Reader(io.BytesIO(data), "pickled NDArray")
    reader.part = "the array"
    found = _read_array(reader)
    reader.finish()
    return found


def _read_file(reader: _Reader) -> list[NDArray] | dict[str, NDArray]:
    magic, _, count = reader.numbers("QQQ")
    if magic != _LIST_MAGIC:
        raise reader.fail(f"not an NDArray file: it begins with {magic:#x}, not {_LIST_MAGIC:#x}")
    arrays = []
    for i in range(count):
        reader.part = f"array {i} of {count}"
        arrays.append(_read_array(reader))
    reader.part = "the names"
    (named,) = reader.numbers("Q")
    if named not in (0, count):
        raise reader.fail(f"corrupt: {named} names for {count} arrays")
    names = [reader.text(*reader.numbers("Q")) for _ in range(named)]
    reader.finish()
    return dict(zip(names, arrays, strict=True)) if names else arrays


def _read_array(reader: _Reader) -> NDArray | None:
    (magic,) = reader.numbers("I")
    storage, stored = 0, ()
    if magic in (_V2, _V3):
        (storage,) = reader.numbers("i")
        if storage not in _AUX_COUNT:
            raise reader.fail(f"corrupt: unknown storage type {storage}")
        if storage:
            stored = reader.shape()
        shape = reader.shape()
    elif magic == _V1:
        shape = reader.shape()
    else:
        shape = reader.shape(magic if magic <= _MAX_NDIM else -2, "I")
    if not shape and magic != _V3:
        return None  # an array that was never allocated
    device = reader.numbers("ii")
    dtype = reader.dtype()
    aux = [(reader.dtype(), reader.shape()) for _ in range(_AUX_COUNT[storage])]
    data = reader.values(stored if storage else shape, dtype)
    parts = [reader.values(s, t) for t, s in aux]
    if storage:
        data = _sparse(reader, shape, data, parts)
    ctx = _place(reader, *device)
    return NDArray._wrap(on_device(data, ctx), ctx)


def _place(reader: _Reader, kind: int, number: int) -> Context:
    """The device that an array was saved from, or the CPU where it is absent."""
    if kind not in Context.devtype2str or number < 0:
        raise reader.fail(f"corrupt: unknown device type {kind}, number {number}")
    ctx = Context(Context.devtype2str[kind], number)
    return ctx if kind != 2 or number < num_gpus() else Context("cpu")


def _sparse(
    reader: _Reader, shape: tuple[int, ...], data: np.ndarray, parts: list[np.ndarray]
) -> Stored:
    """A row_sparse or csr array of parts that are checked: nothing points outside of it."""
    *indptr, indices = (p.astype(INDEX) for p in parts)
    try:
        if not indptr:
            made: Any = RowSparse(data, indices, shape)
            made.check(full=False)
            made = made.ordered()
        else:  # MXNet's files may hold more room than elements
            count = int(indptr[0][-1]) if len(indptr[0]) else 0
            made = Csr(data[:count], indices[:count], indptr[0], shape)
            made.check(full=False)
            made = made.ordered()
        made.check()
    except (MXNetError, ValueError, IndexError) as error:
        raise reader.fail(f"corrupt sparse array: {error}") from None
    return made
