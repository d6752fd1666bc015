"""Images read, cropped and augmented; numbers marked so were observed on MXNet 1.9.1."""

from __future__ import annotations

import json
import random

import numpy as np
import pytest
from reference import reference

import baryon as mx
from baryon import pixels
from baryon.base import MXNetError

pytest.importorskip("cv2")
im = mx.image


@pytest.fixture
def pixel():
    return (np.arange(7 * 9 * 3) * 37 % 256).reshape(7, 9, 3).astype("uint8")


@pytest.fixture
def image(pixel):
    return mx.nd.array(pixel, dtype="uint8")


@pytest.fixture
def png(pixel):
    return pixels.encode(pixel[:, :, ::-1], ".png")


def seed(number):
    random.seed(number)
    np.random.seed(number)


# ---- reading -------------------------------------------------------------------------------------


def test_imdecode_and_imread(pixel, png, tmp_path):
    for data in (
        png,
        bytearray(png),
        np.frombuffer(png, "uint8"),
        mx.nd.array([*png], dtype="uint8"),
    ):
        np.testing.assert_array_equal(im.imdecode(data).asnumpy(), pixel)
    np.testing.assert_array_equal(im.imdecode(png, to_rgb=False).asnumpy(), pixel[:, :, ::-1])
    assert im.imdecode(png, flag=0).shape == (7, 9, 1)
    out = mx.nd.zeros((7, 9, 3), dtype="uint8")
    assert im.imdecode(png, out=out) is out and (out.asnumpy() == pixel).all()
    path = tmp_path / "a.png"
    path.write_bytes(png)
    np.testing.assert_array_equal(im.imread(path).asnumpy(), pixel)
    assert im.imread(str(path), flag=0, to_rgb=False).shape == (7, 9, 1)


def test_images_that_cannot_be_read(png, tmp_path):
    path = tmp_path / "bad.png"
    path.write_bytes(b"no image")
    with pytest.raises(MXNetError, match=r"bad\.png"):
        im.imread(path)
    with pytest.raises(MXNetError, match=r"none\.png"):
        im.imread(tmp_path / "none.png")
    with pytest.raises(ValueError, match="bytes"):
        im.imdecode("text")
    with pytest.raises(MXNetError, match="flag"):
        im.imdecode(png, flag=-1)
    with pytest.raises(MXNetError, match="shape"):
        im.imdecode(png, out=mx.nd.zeros((1, 1, 3)))


def test_golden_images_decode():
    folder = reference("golden", "recordio")
    expected = np.load(folder / "expected.npz")
    entries = json.loads((folder / "index.json").read_text())["images"]["entries"]
    source = mx.recordio.MXIndexedRecordIO(folder / "images.idx", folder / "images.rec", "r")
    for i, entry in enumerate(entries):
        _, content = mx.recordio.unpack(source.read_idx(entry["key"]))
        for flag, kind in ((1, "rgb"), (0, "gray")):
            ours = im.imdecode(content, flag).asnumpy().astype(int)
            theirs = expected[f"images/{i}/imdecode_{kind}"].reshape(ours.shape)
            most = 4 if entry["format"] == ".jpg" else 0
            assert np.abs(ours - theirs).max() <= most, (entry, kind)


# ---- sizes ---------------------------------------------------------------------------------------

RESIZED = {  # MXNet, image to (w 5, h 4)
    0: [0, 37, 74, 111, 148, 185, 77, 114],
    1: [92, 72, 109, 183, 93, 53, 179, 216],
    2: [84, 66, 121, 197, 83, 24, 181, 218],
    3: [100, 76, 113, 151, 106, 82, 120, 157],
    4: [73, 62, 139, 190, 71, 14, 181, 218],
}


@pytest.mark.parametrize("interp", RESIZED)
def test_imresize(image, interp):
    made = im.imresize(image, 5, 4, interp)
    assert made.shape == (4, 5, 3) and made.dtype is np.uint8
    difference = made.asnumpy().ravel()[:8].astype(int) - RESIZED[interp]
    assert np.abs(difference).max() <= 1


def test_interpolation_is_chosen_by_sizes():
    choose = mx.image.image._get_interp_method
    sizes = [(), (10, 10, 20, 20), (10, 10, 5, 5), (10, 10, 5, 20)]
    assert [choose(9, s) for s in sizes] == [2, 2, 3, 1]  # MXNet
    assert {choose(10) for _ in range(99)} == {0, 1, 2, 3, 4}
    for wrong in (-1, 5, 11):
        with pytest.raises(ValueError, match=str(wrong)):
            choose(wrong)


def test_borders(image, pixel):
    wanted = np.pad(pixel, ((1, 2), (3, 4), (0, 0)), constant_values=9)
    np.testing.assert_array_equal(im.copyMakeBorder(image, 1, 2, 3, 4, value=9).asnumpy(), wanted)
    made = im.copyMakeBorder(image, 1, 0, 0, 0, values=(1, 2, 3)).asnumpy()
    assert made[0, 0].tolist() == [1, 2, 3]
    with pytest.raises(MXNetError, match="copyMakeBorder"):
        im.copyMakeBorder(image[0], 1, 0, 0, 0)


def test_crops(image, pixel):  # boxes are MXNet's
    sizes = [(4, 3), (20, 30), (9, 7), (8, 2)]
    shapes = [(h, w, 3) for w, h in sizes]

    def boxes(crop):
        seed(3)
        found = [crop(size) for size in sizes]
        assert [made.shape for made, _ in found] == shapes
        return [box for _, box in found]

    assert boxes(lambda s: im.center_crop(image, s)) == [
        (2, 2, 4, 3), (2, 0, 4, 7), (0, 0, 9, 7), (0, 2, 8, 2)
    ]  # fmt: skip
    assert boxes(lambda s: im.random_crop(image, s)) == [
        (1, 4, 4, 3), (4, 0, 4, 7), (0, 0, 9, 7), (0, 4, 8, 2)
    ]  # fmt: skip
    assert boxes(lambda s: im.random_size_crop(image, s, (0.1, 1), (0.75, 1.33))) == [
        (2, 3, 5, 4), (0, 0, 6, 7), (5, 1, 4, 5), (3, 0, 6, 6)
    ]  # fmt: skip
    assert boxes(lambda s: im.random_size_crop(image, s, 0.5, (0.75, 1.33))) == [
        (2, 1, 6, 6), (2, 2, 6, 5), (1, 2, 7, 5), (1, 0, 8, 6)
    ]  # fmt: skip
    with pytest.raises(TypeError, match="foo"):
        im.random_size_crop(image, (3, 3), 0.5, (0.75, 1.33), foo=1)
    np.testing.assert_array_equal(im.fixed_crop(image, 1, 2, 3, 4).asnumpy(), pixel[2:6, 1:4])


def test_sizes():
    pairs = [((640, 480), (720, 120)), ((360, 1000), (480, 500)), ((10, 10), (20, 30))]
    assert [im.scale_down(*p) for p in pairs] == [(640, 106), (360, 375), (6, 10)]  # MXNet
    shapes = [(30, 50, 3), (50, 30, 3), (15, 17, 3), (33, 47, 3)]
    short = [im.resize_short(mx.nd.zeros(s), 20).shape for s in shapes]
    assert short == [(20, 33, 3), (33, 20, 3), (20, 22, 3), (20, 28, 3)]  # MXNet


def test_rotation():  # first rows are MXNet's
    wide = mx.nd.arange(24).reshape((1, 4, 6))
    rows = {
        (): [0, 0.87981, 2.67885, 6.38878, 10.25481, 8.01701],
        ("zoom_in",): [1.49871, 3.55256, 5.94486, 8.33717, 10.72947, 13.12178],
        ("zoom_out",): [0, 0, 0, 3.55028, 1.63727, 0],
    }
    for zoom, row in rows.items():
        turned = im.imrotate(wide, 30, **dict.fromkeys(zoom, True))
        np.testing.assert_allclose(turned.asnumpy()[0, 0], row, atol=2e-5)
    pair = mx.nd.concat(wide, wide, dim=0).expand_dims(1)
    turned = im.imrotate(pair, mx.nd.array([30, 180]))
    np.testing.assert_allclose(turned.asnumpy()[0, 0, 0], rows[()], atol=2e-5)
    np.testing.assert_allclose(turned.asnumpy()[1, 0], np.flip(wide.asnumpy()[0]), atol=1e-4)
    seed(5)
    square = mx.nd.arange(48).reshape((3, 4, 4))
    row = im.random_rotate(square, (-30, 30)).asnumpy()[0, 0]
    np.testing.assert_allclose(row, [1.24912, 1.41703, 1.42392, 1.58543], atol=2e-5)
    for bad in (dict(zoom_in=True, zoom_out=True), dict(rotation_degrees=[3])):
        with pytest.raises((ValueError, TypeError)):
            im.imrotate(square, **{"rotation_degrees": 3, **bad})
    with pytest.raises(TypeError, match="float32"):
        im.imrotate(square.astype("uint8"), 3)
    with pytest.raises(ValueError, match="2 and 3"):
        im.imrotate(pair, mx.nd.array([1, 2, 3]))


# ---- augmenters ----------------------------------------------------------------------------------

AUGMENTED = {  # MXNet, with seed 5: the first pixels of the float image after an augmenter
    "RandomCropAug": (((5, 4),), [138, 175, 212, 249, 30, 67]),
    "RandomSizedCropAug": (
        ((5, 4), (0.1, 1), (0.7, 1.3)), [189.031, 62.879, 49.423, 146.339, 196.623, 95.887]),
    "ResizeAug": ((5,), [52.294, 57.11, 100.662, 210.663, 64.063, 55.847]),
    "ForceResizeAug": (((5, 4),), [84.172, 66.178, 121.362, 197.111, 83.461, 23.996]),
    "CenterCropAug": (((5, 4),), [197, 234, 15, 52, 89, 126]),
    "BrightnessJitterAug": ((0.3,), [0, 39.728, 79.457, 119.185, 158.914, 198.642]),
    "ContrastJitterAug": ((0.3,), [-9.257, 30.471, 70.199, 109.928, 149.656, 189.385]),
    "SaturationJitterAug": ((0.3,), [-2.224, 37.505, 77.233, 108.776, 148.505, 188.233]),
    "HueJitterAug": ((0.3,), [-4.803, 42.084, 60.413, 106.274, 153.101, 171.125]),
    "ColorJitterAug": ((0.3, 0.2, 0.1), [-20.39, 31.172, 82.734, 121.721, 173.283, 224.845]),
    "LightingAug": (
        (0.1, np.array([55.46, 4.794, 1.148]), np.array(
            [[-0.5675, 0.7192, 0.4009], [-0.5808, -0.0045, -0.814], [-0.5836, -0.6948, 0.4203]])),
        [-1.391, 35.352, 72.799, 109.609, 146.352, 183.799]),
    "ColorNormalizeAug": (([1, 2, 3], [2, 2, 2]), [-0.5, 17.5, 35.5, 55, 73, 91]),
    "RandomGrayAug": ((1.0,), [31.82, 31.82, 31.82, 142.82, 142.82, 142.82]),
    "HorizontalFlipAug": ((1.0,), [120, 157, 194, 9, 46, 83]),
}  # fmt: skip


@pytest.mark.parametrize("name", AUGMENTED)
def test_augmenters_draw_what_mxnet_draws(image, pixel, name):
    arguments, wanted = AUGMENTED[name]
    source = image.astype("float32")
    seed(5)
    made = getattr(im, name)(*arguments)(source)
    assert made.dtype is np.float32
    np.testing.assert_allclose(made.asnumpy().ravel()[:6], wanted, atol=2e-3)
    np.testing.assert_array_equal(source.asnumpy(), pixel)


def test_augmenters_tell_their_arguments():
    assert im.LightingAug(0.1, np.ones(3), mx.nd.ones((1, 2))).dumps() == (
        '["lightingaug", {"alphastd": 0.1, "eigval": [1.0, 1.0, 1.0], "eigvec": [[1.0, 1.0]]}]'
    )
    several = im.SequentialAug([im.CastAug(), im.HorizontalFlipAug(0.5)])
    assert several.dumps() == [
        "sequentialaug", ['["castaug", {"type": "float32"}]', '["horizontalflipaug", {"p": 0.5}]']
    ]  # fmt: skip
    with pytest.raises(NotImplementedError):
        im.Augmenter()(None)
    with pytest.raises(TypeError, match="foo"):
        im.RandomSizedCropAug((4, 4), 0.5, (0.7, 1.3), foo=1)


def test_create_augmenter(image):
    names = [
        "ResizeAug", "RandomSizedCropAug", "HorizontalFlipAug", "CastAug", "ColorJitterAug",
        "HueJitterAug", "LightingAug", "RandomGrayAug", "ColorNormalizeAug",
    ]  # fmt: skip
    chosen = im.CreateAugmenter(
        (3, 20, 24), resize=30, rand_crop=True, rand_resize=True, rand_mirror=True, mean=True,
        std=True, brightness=0.1, contrast=0.1, saturation=0.1, hue=0.1, pca_noise=0.1,
        rand_gray=0.2, inter_method=9,
    )  # fmt: skip
    assert [type(a).__name__ for a in chosen] == names
    for augmenter in chosen:
        image = augmenter(image)
    assert image.shape == (20, 24, 3) and image.dtype is np.float32
    plain = im.CreateAugmenter((3, 20, 20), std=np.array([1.0, 2, 3]))
    assert [type(a).__name__ for a in plain] == ["CenterCropAug", "CastAug", "ColorNormalizeAug"]
    for wrong in (dict(rand_resize=True), dict(mean=[1, 2, 3]), dict(std=np.ones(2))):
        with pytest.raises(ValueError):
            im.CreateAugmenter((3, 20, 20), **wrong)


def test_images_of_the_numpy_interface(png, pixel, tmp_path):
    (tmp_path / "a.png").write_bytes(png)
    with mx.util.np_shape(), mx.util.np_array():
        image = im.imdecode(png)
        assert type(image) is mx.np.ndarray and type(im.imread(tmp_path / "a.png")) is mx.np.ndarray
        for augmenter in im.CreateAugmenter(
            (3, 5, 5), resize=8, rand_crop=True, rand_mirror=True, mean=True, std=True,
            brightness=0.1, contrast=0.1, saturation=0.1, hue=0.1, pca_noise=0.1, rand_gray=1.0,
        ):  # fmt: skip
            image = augmenter(image)
            assert type(image) is mx.np.ndarray, augmenter
        batch = next(im.ImageIter(1, (3, 5, 5), imglist=[[1, "a.png"]], path_root=tmp_path))
        assert type(batch.data[0]) is type(batch.label[0]) is mx.np.ndarray
        data = mx.gluon.data.SimpleDataset([png] * 4).transform(im.imdecode)
        for workers in (dict(), dict(num_workers=1), dict(num_workers=1, thread_pool=True)):
            (batch,) = mx.gluon.data.DataLoader(data, 4, **workers)
            assert type(batch) is mx.np.ndarray and batch.shape == (4, 7, 9, 3)
