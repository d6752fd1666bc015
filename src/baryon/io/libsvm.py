"""Batches of csr data from LibSVM's text format."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ..base import MXNetError
from ..dtypes import as_dtype
from ..ops.stored import INDEX, Csr
from .fields import warn_of_unknown
from .files import RoundIter

_ABSENT = (None, "NULL")


class LibSVMIter(RoundIter):
    """Batches of the lines ``label index:value index:value ...`` of a file, as csr arrays.

    Indices count from 0. What follows ``#`` is a comment, ``qid:`` entries are passed over, and a
    missing value is 1. The last batch is filled with rows from the beginning, which the next epoch
    then does not repeat; ``pad`` counts these.

    Parameters
    ----------
    data_libsvm : a file, or a folder of which all files are read.
    data_shape : ``(columns,)``.
    label_libsvm, label_shape : where labels come from another such file, it and its columns; the
        labels are csr arrays then (unless there is one column).
    num_parts, part_index : read one of parts of about equal size in bytes.
    dtype : of data and labels, default float32.
    ``round_batch`` must be true. ``prefetch_buffer`` and ``ctx`` have no effect on results.

    >>> import tempfile, os
    >>> path = os.path.join(tempfile.mkdtemp(), "a.svm")
    >>> with open(path, "w") as file:
    ...     _ = file.write("1 0:0.5 2:1.5\\n0 1:2\\n")
    >>> batch = next(mx.io.LibSVMIter(data_libsvm=path, data_shape=(3,), batch_size=2))
    >>> batch.data[0].stype, batch.data[0].asnumpy().tolist(), batch.label[0].asnumpy().tolist()
    ('csr', [[0.5, 0.0, 1.5], [0.0, 2.0, 0.0]], [1.0, 0.0])
    """

    def __init__(
        self,
        data_libsvm: str | os.PathLike,
        data_shape: Sequence[int],
        label_libsvm: str | os.PathLike = "NULL",
        label_shape: Sequence[int] = (1,),
        num_parts: int = 1,
        part_index: int = 0,
        batch_size: int = 1,
        round_batch: bool = True,
        prefetch_buffer: int = 4,
        ctx: str = "cpu",
        dtype: Any = None,
        data_name: str = "data",
        label_name: str = "softmax_label",
        **unknown: Any,
    ) -> None:
        warn_of_unknown("LibSVMIter", unknown)
        if not round_batch:
            raise MXNetError("LibSVMIter: round_batch=False is not supported")
        if not 0 <= part_index < num_parts:
            raise ValueError(f"part_index {part_index} is outside the {num_parts} parts")
        part = (part_index, num_parts)
        kind = as_dtype(dtype or "float32")
        data, own = _read(data_libsvm, _columns("data_shape", data_shape), part, kind)
        label: Any = own
        if label_libsvm not in _ABSENT:
            width = _columns("label_shape", label_shape)
            label, scalars = _read(label_libsvm, width, part, kind)
            label = scalars if width == 1 else label
        elif tuple(label_shape) != (1,):
            raise MXNetError(
                f"LibSVMIter: label_shape {tuple(label_shape)} needs label_libsvm; lines have one"
            )
        if label.shape[0] != data.shape[0]:
            raise MXNetError(
                f"{label_libsvm} has {label.shape[0]} rows, {data_libsvm} has {data.shape[0]}"
            )
        super().__init__(data, label, batch_size, data_name, label_name)


def _columns(name: str, shape: Sequence[int]) -> int:
    """The number of columns that a shape means."""
    if len(shape) != 1 or shape[0] < 1:
        raise MXNetError(f"LibSVMIter: {name} must be (columns,), got {tuple(shape)}")
    return int(shape[0])


def _read(
    path: str | os.PathLike, width: int, part: tuple[int, int], dtype: np.dtype
) -> tuple[Csr, np.ndarray]:
    """The rows of a part of a file or folder as a csr array, and the numbers before them."""
    labels: list[float] = []
    values: list[float] = []
    columns: list[int] = []
    indptr = [0]
    for where, line in _lines(Path(path), part):
        try:
            label, entries = _parse(line)
        except ValueError as error:
            raise MXNetError(f"LibSVMIter: {where}: {error}") from None
        labels.append(label)
        for column, value in sorted(entries.items()):
            if not 0 <= column < width:
                raise MXNetError(f"LibSVMIter: {where}: index {column} is outside [0, {width})")
            columns.append(column)
            values.append(value)
        indptr.append(len(columns))
    if not labels:
        raise MXNetError(f"LibSVMIter: no rows in part {part[0]} of {part[1]} of {path}")
    rows = Csr(
        np.array(values, dtype),
        np.array(columns, INDEX),
        np.array(indptr, INDEX),
        (len(labels), width),
    )
    return rows, np.array(labels, dtype)


def _lines(path: Path, part: tuple[int, int]) -> Iterator[tuple[str, str]]:
    """The lines of a part with their places; a line is of the part in which it begins."""
    files = sorted(p for p in path.iterdir() if p.is_file()) if path.is_dir() else [path]
    try:
        contents = [file.read_bytes() for file in files]
    except OSError as error:
        raise MXNetError(f"LibSVMIter: cannot read {error.filename}: {error.strerror}") from error
    step = -(-sum(map(len, contents)) // part[1])
    begin, end, at = part[0] * step, (part[0] + 1) * step, 0
    for file, content in zip(files, contents, strict=True):
        for number, line in enumerate(content.splitlines(keepends=True), 1):
            inside = begin < at <= end or at == part[0] == 0
            at += len(line)
            text = line.split(b"#")[0].decode("ascii", "replace").strip()
            if inside and text:
                yield f"{file}, line {number}", text


def _parse(line: str) -> tuple[float, dict[int, float]]:
    """The label of a line (without its weight) and its values by column; ValueError."""
    label, *entries = line.split()
    found: dict[int, float] = {}
    for entry in entries:
        index, _, value = entry.partition(":")
        if index == "qid":
            continue
        column = int(index)
        if column in found:
            raise ValueError(f"index {column} occurs twice")
        found[column] = float(value) if value else 1.0
    return float(label.split(":")[0]), found
