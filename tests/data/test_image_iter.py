"""`ImageIter`: what comes in which batch, as MXNet has it."""

from __future__ import annotations

import random

import numpy as np
import pytest

import baryon as mx
from baryon import pixels, recordio
from baryon.base import MXNetError

pytest.importorskip("cv2")


@pytest.fixture
def folder(tmp_path):
    """Seven images, each of one grey level and labelled 0 to 6: as files, a list and records."""
    record = recordio.MXIndexedRecordIO(tmp_path / "a.idx", tmp_path / "a.rec", "w")
    lines = []
    for i in range(7):
        data = pixels.encode(np.full((20, 24, 3), 10 * i, np.uint8), ".png")
        (tmp_path / f"{i}.png").write_bytes(data)
        record.write_idx(i, recordio.pack((0, i, i, 0), data))
        lines.append(f"{i}\t{i + 10}\t{i}.png\n")
    record.close()
    (tmp_path / "a.lst").write_text("".join(lines))
    return tmp_path


def sources(folder):
    return {
        "rec": dict(path_imgrec=folder / "a.rec"),
        "indexed": dict(path_imgrec=folder / "a.rec", path_imgidx=folder / "a.idx"),
        "list": dict(imglist=[[i, f"{i}.png"] for i in range(7)], path_root=folder),
    }


def images(folder, source="indexed", **more):
    return mx.image.ImageIter(3, (3, 16, 16), **{**sources(folder)[source], **more})


def epoch(batches):
    found = []
    for batch in batches:
        data, label = batch.data[0].asnumpy(), batch.label[0].asnumpy()
        assert data.shape == (3, 3, 16, 16) and data.dtype == label.dtype == np.float32
        np.testing.assert_array_equal(data[:, 0, 0, 0], label * 10)
        found.append((label.astype(int).tolist(), batch.pad))
    return found


@pytest.mark.parametrize("source", ["rec", "indexed", "list"])
def test_last_batches(folder, source):
    full = [([0, 1, 2], 0), ([3, 4, 5], 0)]
    expected = {
        "pad": [[*full, ([6, 0, 1], 2)]] * 2,
        "discard": [full] * 2,
        "roll_over": [
            full,
            [([6, 0, 1], 2), ([2, 3, 4], 0)],
            [([5, 6, 0], 1), ([1, 2, 3], 0), ([4, 5, 6], 0)],
        ],
    }
    for ending, epochs in expected.items():
        batches = images(folder, source, last_batch_handle=ending)
        for wanted in epochs:
            assert epoch(batches) == wanted
            with pytest.raises(StopIteration):
                batches.next()
            batches.reset()
    batches = images(folder, source, last_batch_handle="roll_over")
    epoch(batches)
    batches.hard_reset()
    assert epoch(batches) == full


def test_shuffled_as_by_mxnet(folder):
    for source in ("indexed", "list"):
        random.seed(5)
        batches = images(folder, source, shuffle=True)
        order, rng = list(range(7)), random.Random(5)
        for _ in range(2):
            rng.shuffle(order)
            wanted = [order[:3], order[3:6], [order[6], *order[:2]]]
            assert [labels for labels, _ in epoch(batches)] == wanted
            batches.reset()


def test_parts_and_lists(folder):
    parts = [epoch(images(folder, num_parts=2, part_index=i)) for i in range(2)]
    assert parts == [[([0, 1, 2], 0)], [([3, 4, 5], 0)]]
    batch = next(images(folder, path_imglist=folder / "a.lst"))
    assert batch.label[0].asnumpy().tolist() == [10, 11, 12]
    batches = mx.image.ImageIter(
        2, (3, 16, 16), 2, imglist=[[1, 2, "0.png"], [[3, 4], "1.png"]], path_root=folder,
        data_name="x", label_name="y", dtype="int32",
    )  # fmt: skip
    assert batches.provide_data == [("x", (2, 3, 16, 16))]
    assert batches.provide_label == [("y", (2, 2))]
    assert next(batches).label[0].asnumpy().tolist() == [[1, 2], [3, 4]]


def test_augmenters_and_subclasses(folder):
    batches = images(folder, resize=18, rand_mirror=True)
    names = [type(a).__name__ for a in batches.auglist]
    assert names == ["ResizeAug", "CenterCropAug", "HorizontalFlipAug", "CastAug"]

    class Doubled(mx.image.ImageIter):
        def postprocess_data(self, datum):
            return super().postprocess_data(datum * 2)

    batches = Doubled(3, (3, 20, 24), aug_list=[], **sources(folder)["rec"])
    assert next(batches).data[0].asnumpy()[:, 0, 0, 0].tolist() == [0, 20, 40]


def test_errors(folder):
    wrong = [
        dict(source="rec", shuffle=True),
        dict(source="rec", num_parts=2),
        dict(source="rec", path_imglist=folder / "a.lst"),
        dict(num_parts=2, part_index=2),
        dict(dtype="uint8"),
        dict(last_batch_handle="x"),
    ]
    for arguments in wrong:
        with pytest.raises(ValueError):
            images(folder, **arguments)
    for shape in ((3, 16), (1, 16, 16)):
        with pytest.raises(ValueError, match="3"):
            mx.image.ImageIter(3, shape, **sources(folder)["rec"])
    with pytest.raises(ValueError, match="needs path_imgrec"):
        mx.image.ImageIter(3, (3, 16, 16))
    with pytest.raises(TypeError, match="foo"):
        images(folder, foo=1)
    with pytest.raises(TypeError, match="resize"):
        images(folder, aug_list=[], resize=3)
    with pytest.raises(MXNetError, match="data_shape"):
        next(images(folder, aug_list=[]))
    with pytest.raises(ValueError, match="label_width"):
        next(mx.image.ImageIter(1, (3, 9, 9), 2, **sources(folder)["rec"]))
    (folder / "bad.png").write_bytes(b"no image")
    with pytest.raises(MXNetError, match=r"bad\.png"):
        next(images(folder, "list", imglist=[[0, "bad.png"]]))
    (folder / "a.lst").write_text("0\t1\t0.png\nx\n")
    with pytest.raises(MXNetError, match="line 2"):
        images(folder, "list", imglist=None, path_imglist=folder / "a.lst")
    (folder / "a.lst").write_text("5\t1\t0.png\n")
    with pytest.raises(MXNetError, match="no label for key 0"):
        next(images(folder, path_imglist=folder / "a.lst"))
