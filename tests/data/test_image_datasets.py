"""Datasets of files: packed images, folders, lists, CIFAR, texts."""

from __future__ import annotations

import io
import pickle
import tarfile
import zipfile
from collections import Counter

import numpy as np
import pytest

import baryon as mx
from baryon import pixels, recordio
from baryon.base import MXNetError
from baryon.gluon import data as D
from baryon.gluon.contrib.data import text
from baryon.gluon.data import vision
from baryon.vocabulary import Vocabulary


def png(level):
    return pixels.encode(np.full((8, 9, 3), level, np.uint8), ".png")


@pytest.fixture
def record(tmp_path):
    pytest.importorskip("cv2")
    path = tmp_path / "a.rec"
    writer = recordio.MXIndexedRecordIO(tmp_path / "a.idx", path, "w")
    for i in range(6):
        writer.write_idx(i, recordio.pack((0, float(i), i, 0), png(10 * i)))
    writer.close()
    return path


def test_record_files(record):
    data = D.RecordFileDataset(record)
    assert len(data) == 6 and recordio.unpack(data[2])[0].label == 2
    assert pickle.loads(pickle.dumps(data))[3] == data[3]
    with pytest.raises(IndexError):
        data[6]
    record.with_suffix(".idx").unlink()
    with pytest.raises(FileNotFoundError, match=r"a\.idx"):
        D.RecordFileDataset(record)


@pytest.mark.parametrize(
    "workers", [dict(), dict(num_workers=2), dict(num_workers=4, thread_pool=True)]
)
def test_packed_images_in_workers(record, workers):
    data = vision.ImageRecordDataset(record, transform=lambda x, y: (x.astype("float32"), y))
    for _ in range(2):
        batches = list(D.DataLoader(data.transform_first(lambda x: x + 1), 3, **workers))
        assert [b[0].shape for b in batches] == [(3, 8, 9, 3)] * 2
        levels = np.concatenate([b[0].asnumpy()[:, 0, 0, 0] for b in batches])
        np.testing.assert_array_equal(levels, np.arange(6) * 10 + 1)
        assert np.concatenate([b[1].asnumpy() for b in batches]).tolist() == list(range(6))


def test_packed_images(record):
    image, label = vision.ImageRecordDataset(record)[1]
    assert (image.shape, image.dtype, label) == ((8, 9, 3), np.uint8, 1.0)
    assert vision.ImageRecordDataset(record, flag=0)[1][0].shape == (8, 9, 1)


@pytest.mark.parametrize("workers", [0, 1])
def test_damaged_images_are_named(tmp_path, workers):
    pytest.importorskip("cv2")
    path = tmp_path / "a.rec"
    writer = recordio.MXIndexedRecordIO(tmp_path / "a.idx", path, "w")
    writer.write_idx(0, recordio.pack((0, 0.0, 0, 0), png(1)))
    writer.write_idx(1, recordio.pack((0, 0.0, 1, 0), b"no image"))
    writer.close()
    with pytest.raises(MXNetError, match=r"a\.rec, record 1: .*no image"):
        list(D.DataLoader(vision.ImageRecordDataset(path), 1, num_workers=workers))


def test_folders(tmp_path):
    pytest.importorskip("cv2")
    for name in ("b/z.jpeg", "a/x.png", "a/w.PNG", "c/notes.txt"):
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(png(7))
    with pytest.warns(UserWarning, match=r"notes\.txt"):
        data = vision.ImageFolderDataset(tmp_path, transform=lambda x, y: (x, y + 5))
    assert data.synsets == ["a", "b", "c"]
    names = [(path.rpartition("/")[2], label) for path, label in data.items]
    assert names == [("w.PNG", 0), ("x.png", 0), ("z.jpeg", 1)]  # MXNet's order
    image, label = data[2]
    assert (len(data), image.shape, label) == (3, (8, 9, 3), 6)
    with pytest.raises(FileNotFoundError):
        vision.ImageFolderDataset(tmp_path / "none")
    listed = vision.ImageListDataset(tmp_path, [[3, "a/x.png"], [1, 2, "b/z.jpeg"]], flag=0)
    assert listed[0][1] == 3 and listed[1][1].tolist() == [1, 2] and listed[0][0].shape == (8, 9, 1)
    (tmp_path / "a.lst").write_text("0\t4\ta/x.png\n")
    assert vision.ImageListDataset(tmp_path, "a.lst")[0][1] == 4
    for wrong, error in ((None, ValueError), ([["a/x.png"]], MXNetError)):
        with pytest.raises(error):
            vision.ImageListDataset(tmp_path, wrong)


# ---- CIFAR ---------------------------------------------------------------------------------------


def cifar(labels, seed):
    rows = np.random.default_rng(seed).integers(0, 256, (4, labels + 3072), dtype=np.uint8)
    return rows, rows[:, labels:].reshape(4, 3, 32, 32).transpose(0, 2, 3, 1)


def test_cifar10(tmp_path):
    inside = tmp_path / "cifar-10-batches-bin"
    inside.mkdir()
    for i in range(1, 6):
        cifar(1, i)[0].tofile(inside / f"data_batch_{i}.bin")
    rows, images = cifar(1, 0)
    rows.tofile(tmp_path / "test_batch.bin")
    test = vision.CIFAR10(tmp_path, train=False)
    assert len(vision.CIFAR10(tmp_path)) == 20 and len(test) == 4
    image, label = test[3]
    np.testing.assert_array_equal(image.asnumpy(), images[3])
    assert label == rows[3, 0] and label.dtype == np.int32
    assert vision.CIFAR10(tmp_path, train=False, transform=lambda x, y: int(y))[3] == label
    (tmp_path / "test_batch.bin").write_bytes(bytes(100))
    with pytest.raises(MXNetError, match=r"test_batch\.bin"):
        vision.CIFAR10(tmp_path, train=False)
    with pytest.raises(MXNetError, match="put the files"):
        vision.CIFAR10(tmp_path / "none")


def test_cifar100_in_its_archive(tmp_path):
    rows, images = cifar(2, 0)
    with tarfile.open(tmp_path / "cifar-100-binary.tar.gz", "w:gz") as tar:
        member = tarfile.TarInfo("cifar-100-binary/test.bin")
        member.size = rows.nbytes
        tar.addfile(member, io.BytesIO(rows.tobytes()))
    for fine in (False, True):
        data = vision.CIFAR100(tmp_path, fine_label=fine, train=False)
        assert data[2][1] == rows[2, int(fine)]
        np.testing.assert_array_equal(data[2][0].asnumpy(), images[2])
    with pytest.raises(MXNetError, match=r"cifar-100-binary\.tar\.gz"):
        vision.CIFAR100(tmp_path)
    (tmp_path / "cifar-100-binary.tar.gz").write_bytes(b"damaged")
    with pytest.raises(MXNetError, match=r"cifar-100-binary\.tar\.gz"):
        vision.CIFAR100(tmp_path, train=False)


# ---- texts ---------------------------------------------------------------------------------------

TRAIN = " = Title = \n \n the cat sat on the mat . \n the dog <unk> the cat \n"


def test_wikitext(tmp_path):  # numbers are MXNet's
    (tmp_path / "wiki.train.tokens").write_text(TRAIN)
    train = text.WikiText2(tmp_path, seq_len=3)
    pairs = [(x.asnumpy().tolist(), y.asnumpy().tolist()) for x, y in train]
    assert pairs[:3] == [
        ([3, 6, 3], [6, 3, 1]), ([1, 2, 4], [2, 4, 10]), ([10, 9, 2], [9, 2, 8])
    ]  # fmt: skip
    assert len(train) == 5 and train[0][0].dtype is np.int32
    assert train.vocabulary.idx_to_token[:6] == ["<unk>", "<eos>", "the", "=", "cat", "."]
    assert train.frequencies["the"] == 4
    with zipfile.ZipFile(tmp_path / "wikitext-2-v1.zip", "w") as archive:
        archive.writestr("wikitext-2/wiki.test.tokens", " the bird \n sat on a cat . \n")
    test = text.WikiText2(tmp_path, "test", train.vocabulary, 2)
    assert [x.asnumpy().tolist() for x, _ in test] == [[2, 0], [1, 10], [9, 0], [4, 5]]
    for wrong, error in (
        (dict(segment="x"), ValueError),
        (dict(segment="validation"), MXNetError),
        (dict(seq_len=99), MXNetError),
        (dict(seq_len=0), ValueError),
    ):
        with pytest.raises(error):
            text.WikiText2(tmp_path, **wrong)
    with pytest.raises(MXNetError, match=r"wikitext-103-v1\.zip"):
        text.WikiText103(tmp_path / "none")


def test_vocabulary():  # as MXNet's
    counter = Counter(["a", "b", "b", "c", "c", "c", "d", "d", "d", "d", "e"])
    for arguments, tokens in (
        ({}, ["<unk>", *"dcbae"]),
        (dict(most_freq_count=3, min_freq=2), ["<unk>", *"dcb"]),
        (dict(reserved_tokens=["a"], unknown_token="?"), ["?", *"adcbe"]),
        (dict(most_freq_count=0), ["<unk>"]),
    ):
        assert Vocabulary(counter, **arguments).idx_to_token == tokens
    words = Vocabulary(counter)
    assert words.to_indices(["d", "zz"]) == [1, 0] and words.to_tokens([0, 1]) == ["<unk>", "d"]
    for index in (99, -1, 1.5):
        with pytest.raises(ValueError, match="invalid"):
            words.to_tokens(index)
    for wrong in (dict(min_freq=0), dict(reserved_tokens=["<unk>"]), dict(reserved_tokens="aa")):
        with pytest.raises(ValueError):
            Vocabulary(counter, **wrong)
    with pytest.raises(TypeError):
        Vocabulary(["a"])
    assert mx.gluon.contrib.data.text is text


def test_bases_that_programs_derive_from(tmp_path):
    class Squares(D.dataset._DownloadedDataset):
        def _get_data(self):
            self._data, self._label = np.arange(4) ** 2, np.arange(4)

    data = Squares(tmp_path / "new" / "folder", lambda x, y: int(x + y))
    assert len(data) == 4 and data[3] == 12 and (tmp_path / "new" / "folder").is_dir()
    with pytest.raises(NotImplementedError, match="_get_data"):
        D.dataset._DownloadedDataset(tmp_path, None)

    class Listed(vision.ImageFolderDataset):
        def _list_images(self, root):
            self.synsets, self.items = ["a"], [(f"{root}/x.png", 0)]

    assert len(Listed(tmp_path)) == 1
