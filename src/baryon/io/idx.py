"""IDX files, the format of MNIST, and the digits that travel with baryon.

An IDX file holds two zero bytes, a type code, the number of dimensions, the dimensions as 32-bit
numbers, and the elements, all big-endian. Files may be gzipped.
"""

from __future__ import annotations

import gzip
import os
import zlib
from pathlib import Path
from typing import BinaryIO

import numpy as np

from ..base import MXNetError

__all__ = ["EMBEDDED_MNIST", "embedded_mnist", "get_mnist", "read_idx"]

EMBEDDED_MNIST = Path(__file__).resolve().parent.parent / "data" / "mnist"
_TYPES = {0x08: "u1", 0x09: "i1", 0x0B: ">i2", 0x0C: ">i4", 0x0D: ">f4", 0x0E: ">f8"}
_MOST_BYTES = 1 << 40  # dimensions that multiply to more than this are not believed


def read_idx(path: str | os.PathLike) -> np.ndarray:
    """The array in an IDX file, gzipped or not.

    Raises FileNotFoundError for a missing file and MXNetError, naming the file, for one that is
    truncated, too long, or no IDX file.

    >>> mx.io.read_idx(mx.io.EMBEDDED_MNIST / "t10k-labels-idx1-ubyte.gz").dtype
    dtype('uint8')
    """
    path = Path(path)
    with path.open("rb") as raw:
        zipped = raw.read(2) == b"\x1f\x8b"
    try:
        with gzip.open(path) if zipped else path.open("rb") as stream:
            return _read(stream, path)
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise MXNetError(f"{path}: damaged gzip data ({error})") from error


def _read(stream: BinaryIO, path: Path) -> np.ndarray:
    head = stream.read(4)
    if len(head) < 4 or head[:2] != b"\0\0" or head[2] not in _TYPES:
        raise MXNetError(f"{path}: no IDX file: it starts with {head!r}")
    count = head[3]
    sizes = stream.read(4 * count)
    if len(sizes) < 4 * count:
        raise MXNetError(f"{path}: IDX header of {count} dimensions is cut short")
    shape = tuple(int(n) for n in np.frombuffer(sizes, ">u4"))
    dtype = np.dtype(_TYPES[head[2]])
    expected = dtype.itemsize
    for size in shape:
        expected *= size
    if expected > _MOST_BYTES:
        raise MXNetError(f"{path}: IDX shape {shape} is implausible")
    data = stream.read(expected)
    if len(data) < expected:
        raise MXNetError(
            f"{path}: IDX data of shape {shape} needs {expected} bytes, found {len(data)}"
        )
    if stream.read(1):
        raise MXNetError(f"{path}: data goes on after the {expected} bytes of shape {shape}")
    return np.frombuffer(data, dtype).reshape(shape).astype(dtype.newbyteorder("="), copy=False)


def read_digits(images: str | os.PathLike, labels: str | os.PathLike) -> tuple[np.ndarray, ...]:
    """Images (n, height, width) and labels (n,) of a pair of IDX files; they must fit together."""
    pictures, digits = read_idx(images), read_idx(labels)
    if pictures.ndim != 3 or pictures.dtype != np.uint8:
        raise MXNetError(
            f"{images}: expected 8-bit images (n, height, width), "
            f"got {pictures.dtype} of shape {pictures.shape}"
        )
    if digits.shape != pictures.shape[:1]:
        raise MXNetError(
            f"{labels}: expected {pictures.shape[0]} labels for {images}, got shape {digits.shape}"
        )
    return pictures, digits


def embedded_mnist(train: bool = True) -> tuple[np.ndarray, np.ndarray]:
    """The MNIST digits in the package: 4,000 to train on, or 1,000 to test on.

    Returns images, uint8 (n, 28, 28) from 0 (paper) to 255 (ink), and labels, uint8 (n,).

    >>> images, labels = mx.io.embedded_mnist(train=False)
    >>> images.shape, labels.shape, str(images.dtype)
    ((1000, 28, 28), (1000,), 'uint8')
    """
    stem = "train" if train else "t10k"
    return read_digits(
        EMBEDDED_MNIST / f"{stem}-images-idx3-ubyte.gz",
        EMBEDDED_MNIST / f"{stem}-labels-idx1-ubyte.gz",
    )


def get_mnist() -> dict[str, np.ndarray]:
    """The embedded digits as ``mxnet.test_utils.get_mnist`` gives MNIST.

    ``train_data`` and ``test_data`` are float32 (n, 1, 28, 28) from 0 to 1, ``train_label`` and
    ``test_label`` int32 (n,).

    >>> digits = mx.io.get_mnist()
    >>> batches = mx.io.NDArrayIter(digits["test_data"], digits["test_label"], batch_size=100)
    >>> len(list(batches))
    10
    """
    found = {}
    for name, train in (("train", True), ("test", False)):
        images, labels = embedded_mnist(train)
        found[f"{name}_data"] = images[:, None].astype("float32") / 255
        found[f"{name}_label"] = labels.astype("int32")
    return found
