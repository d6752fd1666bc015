"""Images in NumPy: OpenCV's work, and what stands in for it, agree."""

from __future__ import annotations

import numpy as np
import pytest

from baryon import pixels
from baryon.base import MXNetError
from baryon.pixels import codec
from baryon.pixels.resample import resample
from baryon.pixels.warp import _warp

cv2 = pytest.importorskip("cv2")


@pytest.fixture
def image():
    return np.random.default_rng(0).integers(0, 256, (37, 53, 3), dtype=np.uint8)


@pytest.mark.parametrize("interp", pixels.INTERPOLATIONS)
@pytest.mark.parametrize("size", [(20, 15), (80, 70), (100, 20), (10, 60), (26, 18)])
def test_resize_in_numpy_is_opencv_s(image, interp, size):
    for dtype, most in (("uint8", 1), ("float32", 1e-2), ("float64", 1e-2)):
        source = image.astype(dtype)
        ours = resample(np, source, size[::-1], interp)
        theirs = cv2.resize(source, size, interpolation=interp)
        assert ours.dtype == theirs.dtype and ours.shape == theirs.shape
        assert np.abs(ours.astype(float) - theirs).max() <= most


def test_warp_in_numpy_is_opencv_s(image):
    matrix = cv2.getRotationMatrix2D((20, 20), 30, 1.1)
    theirs = pixels.warp_affine(image, matrix, (60, 50), 1, 7)
    assert np.abs(_warp(image, matrix, (60, 50), 7).astype(int) - theirs).max() <= 1


@pytest.mark.parametrize("flag", [-1, 0, 1])
@pytest.mark.parametrize("kind", ["grey", "colour", "alpha", "deep"])
def test_pillow_decodes_as_opencv(image, flag, kind, monkeypatch):
    pytest.importorskip("PIL")
    source = {
        "grey": image[..., 0],
        "colour": image,
        "alpha": np.dstack([image, image[..., 0]]),
        "deep": image[..., 0].astype(np.uint16) * 200,
    }[kind]
    data = cv2.imencode(".png", source)[1].tobytes()
    theirs = [pixels.decode(data, flag, to_rgb) for to_rgb in (False, True)]
    monkeypatch.setattr(codec, "opencv", lambda: None)
    for to_rgb, wanted in zip((False, True), theirs, strict=True):
        ours = pixels.decode(data, flag, to_rgb)
        assert ours.shape == wanted.shape
        assert np.abs(ours.astype(int) - wanted).max() <= (1 if flag == 0 else 0)


def test_pillow_encodes_what_opencv_decodes(image, monkeypatch):
    pytest.importorskip("PIL")
    monkeypatch.setattr(codec, "opencv", lambda: None)
    data = pixels.encode(image, ".png")
    grey = pixels.encode(image[..., :1], ".png")
    with pytest.raises(MXNetError, match=r"'\.xyz'"):
        pixels.encode(image, ".xyz")
    monkeypatch.undo()
    np.testing.assert_array_equal(pixels.decode(data, 1, to_rgb=False), image)
    np.testing.assert_array_equal(pixels.decode(grey, 0), image[..., :1])


@pytest.mark.parametrize("opencv", [True, False])
def test_bytes_that_are_no_image(image, opencv, monkeypatch):
    pytest.importorskip("PIL")
    if not opencv:
        monkeypatch.setattr(codec, "opencv", lambda: None)
    data = pixels.encode(image, ".jpg")
    for bad in (b"", b"abcdef", b"\xff\xd8\xff" + bytes(50), b"GIF89a" + bytes(9)):
        with pytest.raises(MXNetError, match="imdecode"):
            pixels.decode(bad)
    rng = np.random.default_rng(1)
    for _ in range(50):  # damaged files give pixels or an error
        damaged = bytearray(data)
        for place in rng.integers(len(data), size=5):
            damaged[place] = rng.integers(256)
        try:
            assert pixels.decode(bytes(damaged)).shape[2] == 3
        except MXNetError as error:
            assert "imdecode" in str(error)


def test_misuse(image):
    for arguments in ((image[..., 0], 3, 3, 1), (image, 0, 3, 1), (image, 3, 3, 9)):
        with pytest.raises(MXNetError, match="imresize"):
            pixels.resize(*arguments)
    with pytest.raises(MXNetError, match="int32"):
        pixels.resize(image.astype("int32"), 3, 3)
    for arguments in (((-1, 0, 0, 0),), ((1, 1, 1, 1), 7), ((1, 1, 1, 1), 0, (1, 2))):
        with pytest.raises(MXNetError, match="copyMakeBorder"):
            pixels.add_border(image, *arguments)


@pytest.mark.parametrize("kind", pixels.BORDERS)
def test_borders_are_opencv_s(image, kind):
    theirs = cv2.copyMakeBorder(image, 1, 2, 3, 4, kind, value=(9, 9, 9))
    np.testing.assert_array_equal(pixels.add_border(image, (1, 2, 3, 4), kind, 9), theirs)
