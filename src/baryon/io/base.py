"""What a data iterator is, and the batches it gives."""

from __future__ import annotations

from collections import namedtuple
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from ..ndarray import NDArray

__all__ = ["DataBatch", "DataDesc", "DataIter"]


class DataDesc(namedtuple("DataDesc", ["name", "shape"])):
    """Name and shape of an input, with its ``dtype`` and the ``layout`` of its axes.

    It compares and unpacks as the pair ``(name, shape)``.

    >>> desc = mx.io.DataDesc("data", (32, 3, 224, 224))
    >>> desc.layout, mx.io.DataDesc.get_batch_axis("TNC")
    ('NCHW', 1)
    """

    dtype: Any
    layout: str

    def __new__(
        cls, name: str, shape: Sequence[int], dtype: Any = np.float32, layout: str = "NCHW"
    ) -> DataDesc:
        """A description; ``layout`` names the axes."""
        desc = super().__new__(cls, name, shape)
        desc.dtype = dtype
        desc.layout = layout
        return desc

    def __repr__(self) -> str:
        return f"DataDesc[{self.name},{self.shape},{self.dtype},{self.layout}]"

    def __getnewargs__(self) -> tuple:
        return (self.name, self.shape, self.dtype, self.layout)

    @staticmethod
    def get_batch_axis(layout: str | None) -> int:
        """Where ``N`` stands in a layout: 0 for no layout, -1 for none with a batch."""
        return 0 if layout is None else layout.find("N")

    @staticmethod
    def get_list(
        shapes: Iterable[tuple[str, Sequence[int]]], types: Iterable[tuple[str, Any]] | None
    ) -> list[DataDesc]:
        """Descriptions from pairs ``(name, shape)`` and ``(name, dtype)``."""
        if types is None:
            return [DataDesc(*shape) for shape in shapes]
        dtypes = dict(types)
        return [DataDesc(name, shape, dtypes[name]) for name, shape in shapes]


class DataBatch:
    """One batch: lists of arrays, how many trailing samples are padding, and their indices.

    ``bucket_key``, ``provide_data`` and ``provide_label`` serve modules whose shapes change.

    >>> batch = mx.io.DataBatch([mx.nd.zeros((4, 3))], [mx.nd.zeros((4,))], pad=1)
    >>> print(batch)
    DataBatch: data shapes: [(4, 3)] label shapes: [(4,)]
    """

    def __init__(
        self,
        data: Sequence[NDArray],
        label: Sequence[NDArray] | None = None,
        pad: int | None = None,
        index: np.ndarray | None = None,
        bucket_key: Any = None,
        provide_data: Sequence[DataDesc] | None = None,
        provide_label: Sequence[DataDesc] | None = None,
    ) -> None:
        if data is not None and not isinstance(data, list | tuple):
            raise AssertionError("Data must be list of NDArrays")
        if label is not None and not isinstance(label, list | tuple):
            raise AssertionError("Label must be list of NDArrays")
        self.data = data
        self.label = label
        self.pad = pad
        self.index = index
        self.bucket_key = bucket_key
        self.provide_data = provide_data
        self.provide_label = provide_label

    def __str__(self) -> str:
        data = [x.shape for x in self.data]
        label = [x.shape for x in self.label] if self.label else None
        return f"{type(self).__name__}: data shapes: {data} label shapes: {label}"


class DataIter:
    """Base of the iterators: subclasses define `reset`, `next` (or `iter_next` and the getters),
    and the attributes ``provide_data`` and ``provide_label``, lists of `DataDesc`.

    >>> class Ones(mx.io.DataIter):
    ...     provide_data = [mx.io.DataDesc("data", (2, 3))]
    ...     provide_label = []
    ...     count = 0
    ...     def reset(self):
    ...         self.count = 0
    ...     def next(self):
    ...         if self.count == 3:
    ...             raise StopIteration
    ...         self.count += 1
    ...         return mx.io.DataBatch([mx.nd.ones((2, 3))], [], pad=0)
    >>> len(list(Ones(batch_size=2)))
    3
    """

    def __init__(self, batch_size: int = 0) -> None:
        self.batch_size = batch_size

    def __iter__(self) -> DataIter:
        return self

    def __next__(self) -> DataBatch:
        return self.next()

    def reset(self) -> None:
        """Go back to the beginning of the data."""

    def next(self) -> DataBatch:
        """The next batch; StopIteration at the end."""
        if not self.iter_next():
            raise StopIteration
        return DataBatch(
            data=self.getdata(), label=self.getlabel(), pad=self.getpad(), index=self.getindex()
        )

    def iter_next(self) -> bool:
        """Move to the next batch; False at the end."""

    def getdata(self) -> list[NDArray]:
        """The data of the current batch."""

    def getlabel(self) -> list[NDArray]:
        """The labels of the current batch."""

    def getindex(self) -> np.ndarray | None:
        """The indices of the current batch's samples."""

    def getpad(self) -> int | None:
        """How many samples at the end of the current batch are padding."""


def renamed(descs: Sequence[DataDesc], names: Mapping[str, str] | None) -> list[DataDesc]:
    """Descriptions under other names."""
    if names is None:
        return list(descs)
    return [DataDesc(names[d.name], d.shape, getattr(d, "dtype", np.float32)) for d in descs]
