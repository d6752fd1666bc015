"""What the iterators over packed images share."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np

from .. import ndarray as nd
from ..base import MXNetError
from ..context import cpu_pinned, num_gpus
from ..ndarray import NDArray
from ..pixels import decode
from .base import DataDesc
from .files import MXDataIter
from .prefetch import Batch, Order, Prefetcher
from .record_source import RecordSource, read_labels

_DECODED = {1: 0, 3: 1, 4: -1}  # channels wanted: how to decode


@dataclass(frozen=True)
class Reading:
    """Which records are read, in which batches, and how far ahead."""

    path_imgrec: str = ""
    path_imgidx: str = ""
    path_imglist: str = ""
    data_shape: tuple[int, ...] = ()
    batch_size: int = 0
    shuffle: bool = False
    seed: int = 0
    seed_aug: int | None = None
    shuffle_chunk_size: int = 0
    shuffle_chunk_seed: int = 0
    num_parts: int = 1
    part_index: int = 0
    round_batch: bool = True
    preprocess_threads: int = 4
    prefetch_buffer: int = 4
    verbose: bool = True
    ctx: str = "gpu"
    device_id: int = 0
    dtype: str | None = None
    aug_seq: str = ""
    data_name: str = "data"
    label_name: str = "softmax_label"

    def __post_init__(self) -> None:
        if len(self.data_shape) != 3 or self.data_shape[0] not in _DECODED:
            raise ValueError(
                f"data_shape must be (1, 3 or 4 channels, height, width), got {self.data_shape}"
            )
        for name in ("batch_size", "preprocess_threads"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} must be at least 1, got {getattr(self, name)}")
        if self.ctx not in ("cpu", "gpu"):
            raise ValueError(f"ctx must be 'cpu' or 'gpu', got {self.ctx!r}")


class RecordIter(MXDataIter):
    """Base of the iterators over packed images: batches that threads fill ahead.

    Subclasses set ``augmenters``, ``dtype`` and ``to_rgb`` (the order of the channels that `_put`
    gets, else BGR), define `_put`, and begin with `_begin`.
    """

    augmenters = "aug_default"
    dtype = "float32"
    to_rgb = True

    def __init__(self, reading: Reading) -> None:
        super().__init__(reading.batch_size)
        self._name = name = type(self).__name__
        if reading.aug_seq not in ("", self.augmenters):
            raise MXNetError(
                f"{name}: aug_seq must be {self.augmenters!r}, got {reading.aug_seq!r}"
            )
        self._reading = reading
        self._source = RecordSource(
            name,
            reading.path_imgrec,
            reading.path_imgidx,
            read_labels(reading.path_imglist) if reading.path_imglist else None,
            reading.num_parts,
            reading.part_index,
        )
        seed = (reading.seed % 2**32, reading.shuffle_chunk_seed % 2**32)
        self._order = Order(
            len(self._source), reading.batch_size, reading.round_batch, reading.shuffle, seed
        )
        self._seed = (reading.seed if reading.seed_aug is None else reading.seed_aug) % 2**32
        self._current: tuple[Batch, int] | None = None
        self._last = threading.local()

    def _begin(self, label_shape: tuple[int, ...]) -> None:
        """Describe the batches and start the threads."""
        reading = self._reading
        shape = (self.batch_size, *reading.data_shape)
        self.provide_data = [DataDesc(reading.data_name, shape, np.dtype(self.dtype).type)]
        self.provide_label = [DataDesc(reading.label_name, (self.batch_size, *label_shape))]
        self._prefetcher = Prefetcher(
            self._new, self._fill, reading.preprocess_threads, reading.prefetch_buffer
        )
        if reading.verbose:
            found = (self._name, len(self._source), reading.path_imgrec)
            logging.info("%s: %d images of %s", *found)
        self.reset()

    # ---- one sample ------------------------------------------------------------------------------

    def _new(self) -> Batch:
        return (
            np.zeros(self.provide_data[0].shape, self.dtype),
            np.zeros(self.provide_label[0].shape, np.float32),
            np.zeros(self.batch_size, np.uint64),
        )

    def _fill(self, batch: Batch, position: int, sample: int, draw: int) -> None:
        """Put a sample into a batch; its random choices depend on the seed and ``draw`` alone."""
        number, label, content = self._source.read(sample)
        rng = np.random.default_rng((self._seed, draw))
        try:
            pixels = self._decoded(content)
            self._put(batch[0][position], batch[1][position : position + 1], pixels, label, rng)
        except (MXNetError, ValueError) as error:
            raise MXNetError(f"{self._name}: image with id {number}: {error}") from error
        batch[2][position] = number
        # While a thread holds an image, the C library does not hand all of the thread's memory back
        # to the system, to fetch it again page by page for the next one: a quarter of the time.
        self._last.image = pixels

    def _decoded(self, content: bytes) -> np.ndarray:
        channels = self._reading.data_shape[0]
        pixels = decode(content, _DECODED[channels], self.to_rgb)
        if pixels.shape[2] != channels or pixels.dtype != np.uint8:
            raise MXNetError(
                f"expected {channels} channels of 8 bits, got {pixels.shape[2]} of {pixels.dtype}"
            )
        return pixels

    def _put(
        self,
        data: np.ndarray,
        row: np.ndarray,
        pixels: np.ndarray,
        label: np.ndarray,
        rng: np.random.Generator,
    ) -> None:
        """Write an image, augmented, and its label into their places in a batch."""
        raise NotImplementedError

    # ---- the iterator ----------------------------------------------------------------------------

    def __del__(self) -> None:
        if hasattr(self, "_prefetcher"):
            self._prefetcher.close()

    def reset(self) -> None:
        """Begin an epoch."""
        self._prefetcher.start(self._order.epoch())
        self._current = None

    def iter_next(self) -> bool:
        """Move to the next batch; False at the end."""
        self._current = self._prefetcher.take()
        return self._current is not None

    def _array(self, which: int) -> NDArray:
        if self._current is None:
            raise MXNetError(f"{self._name}: there is no current batch; call next() first")
        values, device = self._current[0][which], self._reading.device_id
        pinned = cpu_pinned(device) if device >= 0 and num_gpus() else None
        return NDArray(values) if pinned is None else nd.array(values, pinned, values.dtype)

    def getdata(self) -> NDArray:
        """The data of the current batch."""
        return self._array(0)

    def getlabel(self) -> NDArray:
        """The labels of the current batch."""
        return self._array(1)

    def getindex(self) -> np.ndarray:
        """The ids of the current batch's records."""
        return self._current[0][2]

    def getpad(self) -> int:
        """How many samples at the end of the current batch are repeated, or missing."""
        return self._current[1]

    def _images(self, apply: Callable[..., np.ndarray]) -> Iterator[np.ndarray]:
        """All images once, as ``apply(pixels, rng)`` makes them."""
        for sample in range(len(self._source)):
            _, _, content = self._source.read(sample)
            yield apply(self._decoded(content), np.random.default_rng((self._seed, sample)))
