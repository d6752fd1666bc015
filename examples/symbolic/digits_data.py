"""The digits that the examples in this folder train on."""

from __future__ import annotations

import baryon as mx


def iterators(batch_size: int, tiny: bool) -> tuple[mx.io.NDArrayIter, mx.io.NDArrayIter]:
    """Training batches, in the order of the files, and test batches."""
    digits = mx.io.get_mnist()
    count = 256 if tiny else None
    return tuple(
        mx.io.NDArrayIter(
            digits[f"{part}_data"][:count],
            digits[f"{part}_label"][:count].astype("float32"),
            batch_size,
            last_batch_handle="discard" if part == "train" else "pad",
        )
        for part in ("train", "test")
    )
