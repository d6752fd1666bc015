"""`ImageDetRecordIter`: layouts observed on MXNet 1.9.1, and promises of its augmentation."""

from __future__ import annotations

import numpy as np
import pytest

import baryon as mx
from baryon import pixels, recordio
from baryon.base import MXNetError
from baryon.io.det_augment import DetAugmentation

pytest.importorskip("cv2")
LABELS = [
    [2, 5, 0, 0.1, 0.1, 0.5, 0.5, 1, 0.2, 0.3, 0.6, 0.7],
    [2, 5, 2, 0.1, 0.2, 0.3, 0.4],
    [3, 6, 9, 1, 0.1, 0.1, 0.9, 0.9, 7],
]


@pytest.fixture
def record(tmp_path):
    path = tmp_path / "a.rec"
    writer = recordio.MXRecordIO(path, "w")
    for i, (label, size) in enumerate(zip(LABELS, [(40, 56), (56, 40), (20, 20)], strict=True)):
        image = np.full((*size, 3), 50 * (i + 1), np.uint8)
        writer.write(recordio.pack((0, label, i, 0), pixels.encode(image, ".png")))
    writer.close()
    return path


def images(record, **more):
    given = dict(path_imgrec=record, data_shape=(3, 28, 28), batch_size=2, verbose=False)
    return mx.io.ImageDetRecordIter(**{**given, **more})


def test_labels_and_padding(record):
    batches = images(record)
    assert batches.provide_label == [("softmax_label", (2, 16))]
    first, second = list(batches)
    label = first.label[0].asnumpy()
    np.testing.assert_allclose(label[0], [3, 28, 28, 12, *LABELS[0]], rtol=1e-6)
    np.testing.assert_allclose(label[1], [3, 28, 28, 7, *LABELS[1], -1, -1, -1, -1, -1], rtol=1e-6)
    assert (second.pad, second.index.tolist()) == (1, [2, 0])
    np.testing.assert_allclose(second.label[0].asnumpy()[0, 4:13], LABELS[2], rtol=1e-6)
    wide = next(images(record, label_pad_width=20, label_pad_value=7)).label[0].asnumpy()
    assert wide.shape == (2, 24) and (wide[0, 16:] == 7).all()
    short = list(images(record, round_batch=False))[-1]
    assert short.pad == 1 and (short.label[0].asnumpy()[1] == -1).all()


SIZES = {  # MXNet: height and width of the three images in a batch of (60, 70)
    "force": [(60, 70), (60, 70), (60, 70)],
    "fit": [(50, 70), (60, 42), (60, 60)],
    "shrink": [(40, 56), (56, 40), (20, 20)],
}


@pytest.mark.parametrize("mode", SIZES)
def test_resize_modes(record, mode):
    batch = next(images(record, resize_mode=mode, data_shape=(3, 60, 70), batch_size=3))
    label, data = batch.label[0].asnumpy(), batch.data[0].asnumpy()
    assert [tuple(row) for row in label[:, 1:3].astype(int)] == SIZES[mode]
    for i, (height, width) in enumerate(SIZES[mode]):
        assert (data[i, :, :height, :width] == 50 * (i + 1)).all()
        assert data[i].sum() == 50 * (i + 1) * 3 * height * width  # the rest is 0


def test_values_and_mirror(record):
    batch = next(images(record, mean_r=10, std_r=2, scale=3, rand_mirror_prob=1.0))
    assert batch.data[0].asnumpy()[0, :, 0, 0].tolist() == [60, 150, 150]
    np.testing.assert_allclose(
        batch.label[0].asnumpy()[0, 6:11], [0, 0.5, 0.1, 0.9, 0.5], rtol=1e-5
    )


OBJECTS = np.array([[0, 0.1, 0.1, 0.5, 0.5], [1, 0.6, 0.6, 0.9, 0.9]])


def marked():
    """An image that is white in the objects and black elsewhere."""
    image = np.zeros((100, 120, 3), np.uint8)
    for _, left, top, right, bottom in OBJECTS:
        image[int(top * 100) : int(bottom * 100), int(left * 120) : int(right * 120)] = 255
    return image


@pytest.mark.parametrize(
    "settings",
    [
        dict(rand_pad_prob=1.0, max_pad_scale=2.0, fill_value=0),
        dict(rand_crop_prob=1.0, min_crop_scales=(0.3,), max_crop_scales=(0.9,)),
        dict(rand_crop_prob=1.0, min_crop_scales=(0.3,), crop_emit_mode="overlap"),
        dict(rand_mirror_prob=1.0, resize=80),
    ],
)
def test_objects_stay_on_the_image(settings):
    augmentation = DetAugmentation(**settings)
    rng = np.random.default_rng(0)
    for _ in range(20):
        image, objects = augmentation.apply(marked(), OBJECTS, (200, 200), rng)
        assert image.shape == (200, 200, 3) and len(objects)
        for _, left, top, right, bottom in objects:
            x, y = int(100 * (left + right)), int(100 * (top + bottom))
            assert image[min(y, 199), min(x, 199), 0] == 255


def test_parts_satisfy_their_constraints():
    settings = dict(rand_crop_prob=1.0, min_crop_scales=(0.5,), min_crop_object_coverages=(0.9,))
    rng = np.random.default_rng(0)
    changed = 0
    for _ in range(20):
        image, _ = DetAugmentation(**settings).apply(marked(), OBJECTS, (100, 120), rng)
        whole = (image[..., 0] > 128).mean()
        changed += abs(whole - 0.25) > 0.02
        assert whole > 0.05
    assert changed


@pytest.mark.parametrize(
    "wrong,error,match",
    [
        (dict(label_pad_width=8), MXNetError, "label_pad_width 8"),
        (dict(label_width=12), MXNetError, "id 1"),
        (dict(dtype="uint8"), MXNetError, "dtype"),
        (dict(resize_mode="x"), ValueError, "resize_mode"),
        (dict(crop_emit_mode="x"), ValueError, "crop_emit_mode"),
        (dict(min_crop_scales=(0, 1)), ValueError, "min_crop_scales"),
        (dict(aug_seq="aug_default"), MXNetError, "det_aug_default"),
    ],
)
def test_errors(record, wrong, error, match):
    with pytest.raises(error, match=match):
        images(record, **wrong)


def test_labels_that_are_none(tmp_path):
    writer = recordio.MXRecordIO(tmp_path / "b.rec", "w")
    writer.write(recordio.pack((0, 1.0, 4, 0), b""))
    writer.close()
    with pytest.raises(MXNetError, match="id 4: not a label of objects"):
        images(tmp_path / "b.rec")
