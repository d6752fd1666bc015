"""Packed records by number, from one or several record files, whole or a part of them."""

from __future__ import annotations

import bisect
import os
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from ..base import MXNetError
from ..recordio import RecordCursor, read_index, read_record, record_positions, unpack


class RecordSource:
    """The records of a part of some files; any thread may read any of them.

    Parameters
    ----------
    name : of the iterator, for errors.
    path : a record file, several with ``;`` between them, or a folder of them.
    index : the index of a single file, which is scanned for the places of its records otherwise.
    labels : of records, by their id, in place of those in the records.
    num_parts, part_index : with an index, parts hold as many records each; without, as many bytes.
    """

    def __init__(
        self,
        name: str,
        path: str | os.PathLike,
        index: str | os.PathLike = "",
        labels: dict[int, np.ndarray] | None = None,
        num_parts: int = 1,
        part_index: int = 0,
    ) -> None:
        if not path:
            raise MXNetError(f"{name}: path_imgrec must name a record file")
        if not 0 <= part_index < num_parts:
            raise MXNetError(f"{name}: part_index {part_index} is outside the {num_parts} parts")
        self._name, self._labels = name, labels
        paths = _files(path)
        if index and len(paths) > 1:
            raise MXNetError(f"{name}: path_imgidx is of one file, path_imgrec names {len(paths)}")
        try:
            self._files = [(p, os.open(p, os.O_RDONLY)) for p in paths]
        except OSError as error:
            raise MXNetError(f"{name}: cannot open {error.filename}: {error.strerror}") from error
        if index:
            places = [(0, place) for _, place in read_index(index)]
            size = -(-len(places) // num_parts)
            self._places = places[part_index * size : (part_index + 1) * size]
        else:
            self._places = _share_of_bytes(paths, num_parts, part_index)

    def __del__(self) -> None:
        for _, descriptor in getattr(self, "_files", ()):
            os.close(descriptor)

    def __len__(self) -> int:
        return len(self._places)

    def read(self, number: int) -> tuple[int, np.ndarray, bytes]:
        """Id, labels and content of a record."""
        file, place = self._places[number]
        path, descriptor = self._files[file]
        where = f"{self._name}: {path}, record at byte {place}"
        record = read_record(RecordCursor(descriptor, place), str(path))  # type: ignore[arg-type]
        if record is None:
            raise MXNetError(f"{where}: the file ends there")
        header, content = unpack(record)
        if self._labels is None:
            return header.id, np.atleast_1d(np.asarray(header.label, np.float32)), content
        if header.id not in self._labels:
            raise MXNetError(f"{where}: no label for id {header.id} in path_imglist")
        return header.id, self._labels[header.id], content


def _files(path: str | os.PathLike) -> list[Path]:
    found: list[Path] = []
    for each in os.fspath(path).split(";"):
        folder = Path(each)
        inside = sorted(p for p in folder.iterdir() if p.is_file()) if folder.is_dir() else [folder]
        found += inside
    return found


def _share_of_bytes(paths: Sequence[Path], parts: int, part: int) -> list[tuple[int, int]]:
    """The records that begin within an equal share of the bytes of all files."""
    places, starts, total = [], [], 0
    for file, path in enumerate(paths):
        for place in record_positions(path):
            places.append((file, place))
            starts.append(total + place)
        total += path.stat().st_size
    share = -(-total // parts)
    share += -share % 4
    begin, end = (bisect.bisect_left(starts, share * i) for i in (part, part + 1))
    return places[begin:end]


def read_labels(path: str | os.PathLike) -> dict[int, np.ndarray]:
    """Labels by id, of a file of lines ``id TAB label... TAB path``."""
    return dict(_lines(path))


def _lines(path: str | os.PathLike) -> Iterator[tuple[int, np.ndarray]]:
    try:
        lines = open(path)  # noqa: SIM115
    except OSError as error:
        raise MXNetError(f"path_imglist: cannot open {path}: {error.strerror}") from error
    with lines:
        for number, line in enumerate(lines, 1):
            fields = line.rstrip("\n").split("\t")
            try:
                key, label = int(fields[0]), np.array(fields[1:-1], np.float32)
            except ValueError:
                label = np.zeros(0)
            if not label.size:
                raise MXNetError(
                    f"{path}, line {number}: expected 'id TAB label... TAB path', got {line[:80]!r}"
                )
            yield key, label
