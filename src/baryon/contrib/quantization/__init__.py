"""Trained networks made to compute with 8-bit integers."""

from ...context import Context, cpu
from ...io import DataBatch, DataDesc, DataIter
from ...module import Module
from ...ndarray import NDArray
from ...symbol import Symbol
from .calibration import (
    _LayerHistogramCollector,
    _LayerOutputMinMaxCollector,
    combine_histogram,
)
from .model import (
    calib_graph,
    quantize_graph,
    quantize_model,
    quantize_model_mkldnn,
    quantize_net,
    quantize_net_v2,
)

__all__ = [
    "Context",
    "DataBatch",
    "DataDesc",
    "DataIter",
    "Module",
    "NDArray",
    "Symbol",
    "_LayerHistogramCollector",
    "_LayerOutputMinMaxCollector",
    "calib_graph",
    "combine_histogram",
    "cpu",
    "quantize_graph",
    "quantize_model",
    "quantize_model_mkldnn",
    "quantize_net",
    "quantize_net_v2",
]
