"""IDX files: sound ones, broken ones, and the embedded digits."""

import gzip
import struct

import numpy as np
import pytest

import baryon as mx
from baryon.io.idx import EMBEDDED_MNIST, read_idx

CODES = {"u1": 8, "i1": 9, ">i2": 11, ">i4": 12, ">f4": 13, ">f8": 14}


def _idx(array, code):
    head = struct.pack(">HBB", 0, code, array.ndim) + struct.pack(f">{array.ndim}I", *array.shape)
    return head + array.tobytes()


@pytest.mark.parametrize("kind", CODES)
@pytest.mark.parametrize("shape", [(3, 2, 4), (5,), (0, 3), ()])
@pytest.mark.parametrize("zipped", [False, True])
def test_round_trip(tmp_path, kind, shape, zipped):
    array = np.asarray(np.random.rand(*shape) * 100).astype(kind)
    data = _idx(array, CODES[kind])
    path = tmp_path / "a"
    path.write_bytes(gzip.compress(data) if zipped else data)
    found = read_idx(path)
    assert found.shape == shape and found.dtype == np.dtype(kind).newbyteorder("=")
    assert (found == array).all()


GOOD = _idx(np.arange(24, dtype="u1").reshape(2, 3, 4), 8)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\0\0\x08",
        b"\1\0\x08\x01" + GOOD[4:],
        b"\0\0\x07\x01" + GOOD[4:],
        GOOD[:9],
        GOOD[:-1],
        GOOD + b"x",
        b"\0\0\x08\x03" + b"\xff" * 12,
        b"\0\0\x08\xff" + b"\xff" * 8,
        gzip.compress(GOOD)[:-12],
        gzip.compress(GOOD)[:5],
        gzip.compress(GOOD[:-3]),
        gzip.compress(GOOD)[:12] + b"\xff" * 40,
    ],
)
def test_broken_files_say_which(tmp_path, data):
    path = tmp_path / "broken.idx"
    path.write_bytes(data)
    with pytest.raises(mx.MXNetError, match="broken.idx"):
        read_idx(path)


def test_missing_file():
    with pytest.raises(FileNotFoundError):
        read_idx("/nonexistent/file")


def test_embedded_counts():
    train, test = mx.io.embedded_mnist(), mx.io.embedded_mnist(train=False)
    assert train[0].shape == (4000, 28, 28) and train[1].shape == (4000,)
    assert test[0].shape == (1000, 28, 28) and test[1].shape == (1000,)
    for images, labels in (train, test):
        assert images.dtype == labels.dtype == np.uint8
        assert images.max() == 255 and set(labels) == set(range(10))
    assert len({image.tobytes() for image in np.concatenate([train[0], test[0]])}) == 5000


def test_get_mnist():
    digits = mx.io.get_mnist()
    assert {k: v.shape for k, v in digits.items()} == {
        "train_data": (4000, 1, 28, 28),
        "train_label": (4000,),
        "test_data": (1000, 1, 28, 28),
        "test_label": (1000,),
    }
    images, labels = mx.io.embedded_mnist(train=False)
    assert (digits["test_data"][:, 0] * 255 == images).all()
    assert (digits["test_label"] == labels).all()


def _mnist_iter(**kwargs):
    return mx.io.MNISTIter(
        image=EMBEDDED_MNIST / "t10k-images-idx3-ubyte.gz",
        label=EMBEDDED_MNIST / "t10k-labels-idx1-ubyte.gz",
        silent=True,
        **kwargs,
    )


def test_mnist_iter():
    images, labels = mx.io.embedded_mnist(train=False)
    batches = list(_mnist_iter(batch_size=64, shuffle=False))
    assert len(batches) == 15
    data = np.concatenate([b.data[0].asnumpy() for b in batches])
    assert (data == images[:960, None].astype("float32") / 256).all()
    assert (np.concatenate([b.label[0].asnumpy() for b in batches]) == labels[:960]).all()


def test_mnist_iter_shuffles_and_parts():
    part = _mnist_iter(batch_size=64, flat=True, num_parts=3, part_index=1, seed=5)
    assert part.provide_data[0].shape == (64, 784)
    first = [b.label[0].asnumpy() for b in part]
    assert len(first) == 5
    part.reset()
    assert all((a == b.label[0].asnumpy()).all() for a, b in zip(first, part, strict=True))
    assert not (np.concatenate(first) == mx.io.embedded_mnist(False)[1][333:653]).all()


def test_mnist_iter_parts_take_every_digit(tmp_path):
    (tmp_path / "x").write_bytes(_idx(np.zeros((7, 2, 2), "u1"), 8))
    (tmp_path / "y").write_bytes(_idx(np.arange(7, dtype="u1"), 8))
    files = {"image": tmp_path / "x", "label": tmp_path / "y"}
    found = []
    for i in range(3):
        part = mx.io.MNISTIter(
            **files, batch_size=1, shuffle=False, silent=True, num_parts=3, part_index=i
        )
        found.append([int(b.label[0].asscalar()) for b in part])
    assert found == [[0, 1], [2, 3], [4, 5, 6]]  # as MXNet was seen to divide


def test_mnist_iter_refuses(tmp_path):
    with pytest.raises(mx.MXNetError, match="nope"):
        mx.io.MNISTIter(image=tmp_path / "nope")
    with pytest.raises(ValueError):
        _mnist_iter(num_parts=2, part_index=2)
    labels = EMBEDDED_MNIST / "train-labels-idx1-ubyte.gz"
    with pytest.raises(mx.MXNetError, match="expected 1000 labels"):
        mx.io.MNISTIter(image=EMBEDDED_MNIST / "t10k-images-idx3-ubyte.gz", label=labels)
