"""What ranges the layers of a network take on calibration data."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import numpy as np

from ...ndarray import NDArray, array, contrib

Ranges = dict[str, tuple[float, float]]
_BINS = 255  # of a histogram of int8


class _Collector:
    """What layers gave so far, for layers that `include_layer` names or accepts (None: all)."""

    def __init__(self, include_layer: Any = None, logger: Any = None) -> None:
        self.include_layer = include_layer
        self.logger = logger

    def collect(self, name: str | bytes, arr: NDArray) -> None:
        """Take note of a layer's output: a monitor callback."""
        name = name.decode() if isinstance(name, bytes) else name
        accepts = self.include_layer
        if accepts is None or (accepts(name) if callable(accepts) else name in accepts):
            if self.logger:
                self.logger.debug("collecting layer %s of shape %s", name, arr.shape)
            self._note(name, arr.asnumpy().astype(np.float32))

    def _note(self, name: str, values: np.ndarray) -> None:
        raise NotImplementedError

    def ranges(self, quantized_dtype: str) -> Ranges:
        """The range that each layer's 8 bits should stand for."""
        raise NotImplementedError


class _LayerOutputMinMaxCollector(_Collector):
    """The least and greatest value of each layer: `min_max_dict`."""

    def __init__(
        self, quantized_dtype: str = "int8", include_layer: Any = None, logger: Any = None
    ) -> None:
        super().__init__(include_layer, logger)
        self.quantized_dtype = quantized_dtype
        self.min_max_dict: Ranges = {}

    def _note(self, name: str, values: np.ndarray) -> None:
        low, high = float(values.min()), float(values.max())
        before = self.min_max_dict.get(name, (low, high))
        self.min_max_dict[name] = (min(before[0], low), max(before[1], high))

    def ranges(self, quantized_dtype: str) -> Ranges:
        """The range that each layer's 8 bits should stand for."""
        return dict(self.min_max_dict)


class _LayerHistogramCollector(_Collector):
    """A histogram of each layer's values, symmetric about 0: `hist_dict`."""

    def __init__(self, num_bins: int = 8001, include_layer: Any = None, logger: Any = None) -> None:
        super().__init__(include_layer, logger)
        self.num_bins = num_bins
        self.hist_dict: dict[str, tuple] = {}

    def _note(self, name: str, values: np.ndarray) -> None:
        low, high = float(values.min()), float(values.max())
        reach = max(abs(low), abs(high), np.finfo(np.float32).tiny)
        if name in self.hist_dict:
            self.hist_dict[name] = combine_histogram(self.hist_dict[name], values, low, high, reach)
        else:
            hist, edges = np.histogram(values, self.num_bins, (-reach, reach))
            self.hist_dict[name] = (hist, edges, low, high, reach)

    def ranges(self, quantized_dtype: str) -> Ranges:
        """The range that each layer's 8 bits should stand for, by least divergence."""
        found = {}
        for name, (hist, edges, low, *_) in self.hist_dict.items():
            bins = 2 * _BINS + 1 if low >= 0 and quantized_dtype in ("auto", "uint8") else _BINS
            cut, loss = contrib.calibrate_entropy(
                array(hist), array(edges), num_quantized_bins=bins
            )
            reach = float(cut.asnumpy()[0])
            found[name] = (0.0 if low >= 0 else -reach, reach)
            logging.debug("layer %s: cut at %g, divergence %g", name, reach, loss.asnumpy()[0])
        return found


def combine_histogram(
    old_hist: tuple, arr: Any, new_min: float, new_max: float, new_th: float
) -> tuple[np.ndarray, np.ndarray, float, float, float]:
    """A collector's histogram with the values of another array added.

    old_hist : counts, edges, least, greatest value, and reach: edges go from -reach to reach.
    new_min, new_max, new_th : the same three of `arr`. Where it reaches further, bins are added.

    >>> hist, edges = np.histogram([0, 1], bins=3, range=(-1, 1))
    >>> whole = mx.contrib.quantization.combine_histogram(
    ...     (hist, edges, 0, 1, 1), np.array([2.0]), 2, 2, 2)
    >>> whole[0].tolist(), whole[2:4]
    ([0, 0, 0, 1, 1, 0, 1], (0, 2))
    """
    hist, edges, low, high, reach = old_hist
    values = arr.asnumpy() if isinstance(arr, NDArray) else np.asarray(arr)
    low, high = min(low, new_min), max(high, new_max)
    if new_th <= reach:
        more, _ = np.histogram(values, len(hist), (-reach, reach))
        return hist + more, edges, low, high, reach
    width = 2 * reach / len(hist)
    extra = int((new_th - reach) // width + 1)
    wide = extra * width + reach
    more, edges = np.histogram(values, 2 * extra + len(hist), (-wide, wide))
    more[extra : len(more) - extra] += hist
    return more, edges, low, high, wide


def make_collector(mode: str, quantized_dtype: str, include: Iterable[str]) -> _Collector:
    """The collector of a calibration mode, for layers of these names."""
    accepts: Callable[[str], bool] = set(include).__contains__
    if mode == "entropy":
        return _LayerHistogramCollector(include_layer=accepts)
    return _LayerOutputMinMaxCollector(quantized_dtype, include_layer=accepts)


def ranges_of(collector: Any, mode: str, quantized_dtype: str) -> Mapping[str, tuple]:
    """The ranges that a collector found; a user's has them as ``min_max_dict``."""
    if isinstance(collector, _Collector):
        return collector.ranges(quantized_dtype)
    found = getattr(collector, "min_max_dict", None)
    if found is None:
        raise ValueError(f"calib_mode {mode!r}: the collector has no min_max_dict")
    return found
