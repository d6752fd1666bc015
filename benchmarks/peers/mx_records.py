"""Reading packed images in MXNet's API, which baryon shares."""

from __future__ import annotations

import tempfile
from pathlib import Path

from ..workloads import records
from .base import Prepared, digest, prepares, repeat


@prepares("records", "records")
def record_iter(mx: object, arrays: dict) -> Prepared:
    """Pack the photo many times; a step is an epoch."""
    folder = tempfile.TemporaryDirectory()
    path = str(Path(folder.name) / "photos.rec")
    writer = mx.recordio.MXRecordIO(path, "w")
    for i in range(records.COUNT):
        writer.write(mx.recordio.pack((0, float(i), i, 0), arrays["photo"].tobytes()))
    writer.close()
    batches = mx.io.ImageRecordIter(path_imgrec=path, **records.PARAMETERS)

    def step() -> list:
        batches.reset()  # nothing is read ahead between steps, while others are timed
        found = []
        for batch in batches:
            batch.data[0].wait_to_read()
            found = [batch.data[0], batch.label[0]]
        return found

    prepared = Prepared(digest(*(x.asnumpy() for x in step())), repeat(step))
    prepared.folder = folder  # lives as long as its reader
    return prepared
