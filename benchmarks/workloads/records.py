"""An epoch of 128 JPEG images of 500 x 375 as crops of 224 x 224, decoded by two threads."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from .base import Workload, times

COUNT, BATCH = 128, 32
PARAMETERS = {
    "data_shape": (3, 224, 224),
    "batch_size": BATCH,
    "preprocess_threads": 2,
    "resize": 256,
    "mean_r": 123.68,
    "mean_g": 116.28,
    "mean_b": 103.53,
    "std_r": 58.4,
    "std_g": 57.1,
    "std_b": 57.4,
    "verbose": False,
}


def arrays() -> dict[str, np.ndarray]:
    """`photo`: the bytes of a JPEG file, of which all records are copies."""
    return {"photo": np.fromfile(Path(__file__).parent / "photo.jpg", np.uint8)}


WORKLOADS = (
    Workload(
        "records",
        "ImageRecordIter over 128 JPEG images, 500 x 375 to 224 x 224, two threads",
        arrays,
        ("baryon/records", "mxnet/records"),
        (times(0.7, "baryon/records", "mxnet/records"),),
    ),
)
