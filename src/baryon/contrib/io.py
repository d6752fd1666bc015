"""Gluon's loaders for modules."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from ..gluon.data import DataLoader
from ..io import DataDesc, DataIter
from ..ndarray import NDArray, concat, zeros

__all__ = ["DataDesc", "DataIter", "DataLoaderIter"]


class DataLoaderIter(DataIter):
    """A `DataLoader` of (data, label) as a `DataIter`: what ``Module.fit`` reads.

    A last batch that is smaller is filled up with zeros, which count as padding.

    data_name, label_name : names of the inputs.    dtype : of both.

    >>> data = mx.gluon.data.ArrayDataset(np.ones((3, 2)), np.arange(3))
    >>> batches = mx.contrib.io.DataLoaderIter(mx.gluon.data.DataLoader(data, batch_size=2))
    >>> [(b.data[0].shape, b.pad) for b in batches]
    [((2, 2), 0), ((2, 2), 1)]
    """

    def __init__(
        self,
        loader: DataLoader,
        data_name: str = "data",
        label_name: str = "softmax_label",
        dtype: str = "float32",
    ) -> None:
        super().__init__()
        self._loader = loader
        self._iter: Iterator[Any] = iter(loader)
        self._dtype = dtype
        data, label = next(self._iter)
        self.batch_size = data.shape[0]
        self.provide_data = [DataDesc(data_name, data.shape, dtype)]
        self.provide_label = [DataDesc(label_name, label.shape, dtype)]
        self._current: Any = None
        self.reset()

    def reset(self) -> None:
        """Start over, with a new order where the loader shuffles."""
        self._iter = iter(self._loader)

    def iter_next(self) -> bool:
        """Move to the next batch; False at the end."""
        self._current = next(self._iter, None)
        return self._current is not None

    def _whole(self, part: int) -> list[NDArray]:
        x = self._current[part].astype(self._dtype)
        missing = self.getpad()
        return [
            concat(x, zeros((missing, *x.shape[1:]), dtype=self._dtype), dim=0) if missing else x
        ]

    def getdata(self) -> list[NDArray]:
        """The data of the current batch."""
        return self._whole(0)

    def getlabel(self) -> list[NDArray]:
        """The labels of the current batch."""
        return self._whole(1)

    def getpad(self) -> int:
        """How many samples at the end of the current batch are padding."""
        return self.batch_size - self._current[0].shape[0]

    def getindex(self) -> None:
        """The indices of the current batch's samples, which loaders do not tell."""
        return None
