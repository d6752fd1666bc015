"""Data iterators: batches for modules and hand-written loops (``mxnet.io``)."""

from . import utils
from .arrays import NDArrayIter
from .base import DataBatch, DataDesc, DataIter
from .combine import PrefetchingIter, ResizeIter
from .files import CSVIter, MNISTIter, MXDataIter
from .idx import EMBEDDED_MNIST, embedded_mnist, get_mnist, read_idx
from .image_det_record import ImageDetRecordIter
from .image_record import (
    ImageRecordInt8Iter,
    ImageRecordIter,
    ImageRecordIter_v1,
    ImageRecordUInt8Iter,
    ImageRecordUInt8Iter_v1,
)
from .libsvm import LibSVMIter

__all__ = [
    "EMBEDDED_MNIST",
    "CSVIter",
    "DataBatch",
    "DataDesc",
    "DataIter",
    "ImageDetRecordIter",
    "ImageRecordInt8Iter",
    "ImageRecordIter",
    "ImageRecordIter_v1",
    "ImageRecordUInt8Iter",
    "ImageRecordUInt8Iter_v1",
    "LibSVMIter",
    "MNISTIter",
    "MXDataIter",
    "NDArrayIter",
    "PrefetchingIter",
    "ResizeIter",
    "embedded_mnist",
    "get_mnist",
    "read_idx",
    "utils",
]
