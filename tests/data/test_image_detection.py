"""Images with objects; numbers marked so were observed on MXNet 1.9.1."""

from __future__ import annotations

import random
import warnings

import numpy as np
import pytest

import baryon as mx
from baryon import pixels, recordio
from baryon.base import MXNetError

pytest.importorskip("cv2")
im = mx.image
LABEL = np.array(
    [[0, 0.1, 0.2, 0.5, 0.6], [1, 0.4, 0.4, 0.9, 0.8], [2, 0.05, 0.05, 0.1, 0.1]], "float32"
)


@pytest.fixture
def image():
    made = (np.arange(40 * 50 * 3) * 37 % 256).reshape(40, 50, 3).astype("uint8")
    return mx.nd.array(made, dtype="uint8")


CROPPED = {  # MXNet, by seed: shape and objects
    5: ((31, 34, 3), [[0, 0.1471, 0, 0.7353, 0.5161], [1, 0.5882, 0.2581, 1, 0.7742]]),
    6: ((14, 17, 3), [[1, 0.2353, 0.0714, 1, 1]]),
    7: ((14, 13, 3), [[0, 0.1538, 0, 1, 0.8571]]),
    8: ((23, 20, 3), [[0, 0, 0.1739, 0.95, 0.8696]]),
}
PADDED = {
    5: ((68, 76, 3), [0.3947, 0.2794, 0.6579, 0.5147]),
    6: ((67, 81, 3), [0.4444, 0.1493, 0.6914, 0.3881]),
    7: ((57, 53, 3), [0.0943, 0.3509, 0.4717, 0.6316]),
    8: ((69, 61, 3), [0.1311, 0.1739, 0.4590, 0.4058]),
}


@pytest.mark.parametrize("seed", CROPPED)
def test_random_parts_and_pads_are_mxnet_s(image, seed):
    random.seed(seed)
    made, label = im.DetRandomCropAug()(image, LABEL)
    shape, objects = CROPPED[seed]
    assert made.shape == shape
    np.testing.assert_allclose(label, objects, atol=6e-5)
    random.seed(seed)
    made, label = im.DetRandomPadAug()(image, LABEL)
    shape, box = PADDED[seed]
    assert made.shape == shape
    np.testing.assert_allclose(label[0, 1:], box, atol=6e-5)
    assert label.shape == LABEL.shape


def test_a_part_keeps_its_promises(image):
    crop = im.DetRandomCropAug(0.5, (0.5, 2), (0.1, 0.9), 0.4, 50)
    for _ in range(30):
        made, label = crop(image, LABEL)
        height, width = made.shape[:2]
        assert 0.1 <= height * width / 2000 <= 0.9 or made.shape == image.shape
        assert len(label) and (label[:, 1:] >= 0).all() and (label[:, 1:] <= 1).all()


def test_pads_show_the_image_where_the_label_says(image):
    whole = np.array([[0, 0, 0, 1, 1]], "float32")
    made, label = im.DetRandomPadAug((0.5, 2), (1.5, 2.0), 30, (1, 2, 3))(image, whole)
    height, width = made.shape[:2]
    left, top, right, bottom = np.rint(label[0, 1:] * [width, height, width, height]).astype(int)
    np.testing.assert_array_equal(made.asnumpy()[top:bottom, left:right], image.asnumpy())
    if top:
        assert made.asnumpy()[0, 0].tolist() == [1, 2, 3]


def test_flip_select_and_borrow(image):
    made, label = im.DetHorizontalFlipAug(1.0)(image, LABEL)
    np.testing.assert_allclose(label[0], [0, 0.5, 0.2, 0.9, 0.6], rtol=1e-6)
    np.testing.assert_array_equal(made.asnumpy(), image.asnumpy()[:, ::-1])
    assert LABEL[0, 1] == np.float32(0.1)
    select = im.DetRandomSelectAug([im.DetHorizontalFlipAug(1.0)], skip_prob=1.0)
    assert select(image, LABEL)[1] is LABEL
    assert im.DetBorrowAug(im.CastAug())(image, LABEL)[0].dtype is np.float32
    with pytest.raises(TypeError, match="Borrowing"):
        im.DetBorrowAug(3)
    with pytest.raises(ValueError, match="DetAugmenter"):
        im.DetRandomSelectAug([im.CastAug()])
    with pytest.raises(NotImplementedError):
        im.DetAugmenter()(image, LABEL)


def test_ranges_that_hold_nothing_are_told(image):
    for make in (im.DetRandomCropAug, im.DetRandomPadAug):
        for wrong in (dict(aspect_ratio_range=(2, 1)), dict(area_range=(0.5, 0.1))):
            with pytest.warns(UserWarning, match="does nothing"):
                augmenter = make(**wrong)
            assert not augmenter.enabled and augmenter(image, LABEL)[1] is LABEL
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert im.DetRandomCropAug(area_range=0.5).area_range == (0.5, 0.5)
    with pytest.raises(ValueError, match="3"):
        im.CreateMultiRandCropAugmenter([0.1, 0.5], area_range=[(0.1, 1.0)] * 3)


def test_create_det_augmenter(image):
    chosen = im.CreateDetAugmenter(
        (3, 30, 32), resize=40, rand_crop=0.5, rand_pad=0.4, rand_gray=0.1, rand_mirror=True,
        mean=True, std=True, brightness=0.1, contrast=0.1, saturation=0.1, hue=0.1, pca_noise=0.1,
        min_object_covered=[0.1, 0.5], inter_method=9,
    )  # fmt: skip
    kinds = [d[0] if isinstance(d := a.dumps(), list) else type(a).__name__ for a in chosen]
    assert kinds == [
        "detborrowaug", "detrandomselectaug", "DetHorizontalFlipAug", "detrandomselectaug",
        *["detborrowaug"] * 7,
    ]  # fmt: skip
    assert len(chosen[1].aug_list) == 2 and chosen[1].skip_prob == 0.5
    for _ in range(5):
        made, label = image, LABEL
        for augmenter in chosen:
            made, label = augmenter(made, label)
        assert made.shape == (30, 32, 3) and label.shape[1] == 5


# ---- the iterator --------------------------------------------------------------------------------

FLAT = [
    [2, 5, 0, 0.1, 0.1, 0.5, 0.5, 1, 0.2, 0.3, 0.6, 0.7],
    [2, 5, 2, 0.1, 0.2, 0.3, 0.4],
    [3, 5, 99, 0, 0.1, 0.1, 0.5, 0.5, 1, 0.2, 0.3, 0.6, 0.7, 2, 0, 0, 1, 1],
]


@pytest.fixture
def folder(tmp_path):
    record = recordio.MXIndexedRecordIO(tmp_path / "a.idx", tmp_path / "a.rec", "w")
    for i, label in enumerate(FLAT):
        data = pixels.encode(np.full((20, 24, 3), 10 * i, np.uint8), ".png")
        (tmp_path / f"{i}.png").write_bytes(data)
        record.write_idx(i, recordio.pack((0, label, i, 0), data))
    record.close()
    return tmp_path


def images(folder, **more):
    files = dict(path_imgrec=folder / "a.rec", path_imgidx=folder / "a.idx")
    return im.ImageDetIter(2, (3, 16, 16), **files, **more)


def test_batches_of_objects(folder):
    batches = images(folder)
    assert batches.provide_label == [("label", (2, 3, 5))]
    first, last = list(batches)
    label = first.label[0].asnumpy()
    np.testing.assert_allclose(label[0, :2].ravel(), FLAT[0][2:], rtol=1e-6)
    assert (label[0, 2] == -1).all() and (label[1, 1:] == -1).all()
    assert last.pad == 1
    np.testing.assert_allclose(last.label[0].asnumpy()[0].ravel(), FLAT[2][3:], rtol=1e-6)
    np.testing.assert_array_equal(last.label[0].asnumpy()[1], label[0])
    assert last.data[0].asnumpy()[:, 0, 0, 0].tolist() == [20, 0]
    listed = [[label, f"{i}.png"] for i, label in enumerate(FLAT)]
    again = next(im.ImageDetIter(2, (3, 16, 16), imglist=listed, path_root=folder))
    np.testing.assert_array_equal(again.label[0].asnumpy(), label)
    rolling = images(folder, last_batch_handle="roll_over")
    assert [b.pad for b in rolling] == [0]
    rolling.reset()
    assert [b.pad for b in rolling] == [1, 0]


def test_label_shapes(folder):
    first, second = images(folder), images(folder)
    second.reshape(data_shape=(3, 8, 8), label_shape=(6, 5))
    assert second.provide_data == [("data", (2, 3, 8, 8))]
    assert first.sync_label_shape(second) is second
    assert first.provide_label == second.provide_label == [("label", (2, 6, 5))]
    for wrong in ((1, 5), (6, 4), (5,)):
        with pytest.raises(ValueError):
            first.reshape(label_shape=wrong)
    with pytest.raises(TypeError):
        first.sync_label_shape(3)


@pytest.mark.parametrize(
    "label", [[0], [1, 5, 0, 0.1, 0.1, 0.5, 0.5], [2, 5, 0, 0.5, 0.5, 0.1, 0.1], [2, 5, *range(8)]]
)
def test_labels_that_are_none(folder, label):
    with pytest.raises(MXNetError, match=r"[Ll]abel"):
        im.ImageDetIter(1, (3, 16, 16), imglist=[[label, "0.png"]], path_root=folder)


def test_images_without_a_class_are_left_out(folder):
    listed = [[[2, 5, -1, 0.1, 0.1, 0.5, 0.5], "0.png"]]
    assert list(im.ImageDetIter(1, (3, 16, 16), imglist=listed, path_root=folder)) == []


def test_drawing(folder):
    drawn = list(images(folder).draw_next(color=(1, 2, 255), thickness=1, id2labels={0: "a"}))
    assert len(drawn) == 3 and drawn[0].dtype == np.uint8
    assert drawn[0][1, 1].tolist() == [1, 2, 255]  # a corner of the first object
