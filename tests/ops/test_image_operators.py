"""Image operators against plain arithmetic and numbers that MXNet 1.9.1 gave."""

from __future__ import annotations

import colorsys

import numpy as np
import pytest

import baryon as mx

IMAGE = mx.nd.image
RAMP = (np.arange(5 * 6 * 3) * 37 % 256).reshape(5, 6, 3)


def image(dtype="float32"):
    return mx.nd.array(RAMP, dtype=dtype)


def test_hue_turns_as_the_colour_circle_does():
    got = IMAGE.random_hue(image(), min_factor=0.3, max_factor=0.3).asnumpy()
    for pixel, turned in zip(RAMP.reshape(-1, 3), got.reshape(-1, 3), strict=True):
        hue, light, saturation = colorsys.rgb_to_hls(*pixel / 255)
        want = np.multiply(colorsys.hls_to_rgb(hue + 0.3, light, saturation), 255)
        np.testing.assert_allclose(turned, want, atol=0.01)


def test_contrast_and_saturation_of_zero_leave_gray():
    luma = RAMP @ [0.299, 0.587, 0.114]
    flat = IMAGE.random_contrast(image(), min_factor=0, max_factor=0).asnumpy()
    np.testing.assert_allclose(flat, luma.mean(), rtol=1e-5)
    gray = IMAGE.random_saturation(image(), min_factor=0, max_factor=0).asnumpy()
    np.testing.assert_allclose(gray, np.repeat(luma[..., None], 3, -1), rtol=1e-4, atol=1e-3)


def test_bytes_are_cut_and_kept_in_range():
    bright = IMAGE.random_brightness(image("uint8"), min_factor=1.25, max_factor=1.25)
    assert bright.dtype == np.uint8
    np.testing.assert_array_equal(bright.asnumpy(), np.minimum(np.floor(RAMP * 1.25), 255))


@pytest.mark.parametrize("name", ["contrast", "saturation", "hue", "brightness"])
def test_one_channel_has_no_colour(name):
    one = image().slice_axis(axis=2, begin=0, end=1)
    got = getattr(IMAGE, f"random_{name}")(one, min_factor=1.5, max_factor=1.5).asnumpy()
    if name in ("saturation", "hue"):
        np.testing.assert_array_equal(got, one.asnumpy())
    else:
        assert not np.allclose(got, one.asnumpy())


def test_jitter_stays_within_its_spans():
    one = mx.nd.ones((1, 1, 3)) * 100
    mx.random.seed(3)
    zero = {"contrast": 0, "saturation": 0, "hue": 0}
    found = [
        IMAGE.random_color_jitter(one, brightness=0.4, **zero).asnumpy().max() for _ in range(200)
    ]
    assert 59.9 < min(found) < 65 and 135 < max(found) < 140.1


RANDOM = {
    "random_brightness": {"min_factor": 0, "max_factor": 2},
    "random_hue": {"min_factor": 0, "max_factor": 1},
    "random_lighting": {"alpha_std": 1},
    "random_flip_left_right": {},
    "random_flip_top_bottom": {},
    "random_color_jitter": {"brightness": 1, "contrast": 1, "saturation": 1, "hue": 1},
}


@pytest.mark.parametrize("name", RANDOM)
def test_a_seed_decides(name):
    def draw(seed):
        mx.random.seed(seed)
        return [getattr(IMAGE, name)(image(), **RANDOM[name]).asnumpy() for _ in range(8)]

    first, again, other = draw(5), draw(5), draw(6)
    np.testing.assert_array_equal(first, again)
    assert not np.array_equal(first, other)


@pytest.mark.parametrize(("way", "axis"), [("left_right", 1), ("top_bottom", 0)])
def test_random_flips_happen_half_of_the_times_and_back(way, axis):
    mx.random.seed(1)
    flipped = 0
    weight = mx.nd.array(RAMP[::-1, ::-1].copy())
    for _ in range(60):
        x = image()
        x.attach_grad()
        with mx.autograd.record():
            y = getattr(IMAGE, f"random_flip_{way}")(x)
        y.backward(weight)
        turned = not np.array_equal(y.asnumpy(), RAMP)
        flipped += turned
        grad = weight.asnumpy()
        np.testing.assert_array_equal(x.grad.asnumpy(), np.flip(grad, axis) if turned else grad)
    assert 15 < flipped < 45


def test_to_tensor_has_a_gradient():
    x = image()
    x.attach_grad()
    with mx.autograd.record():
        y = IMAGE.to_tensor(x)
    y.backward(mx.nd.ones((3, 5, 6)))
    np.testing.assert_allclose(x.grad.asnumpy(), 1 / 255, rtol=1e-6)


# MXNet 1.9.1 (OpenCV 3.4.2): nd.image.resize of bytes 0, 10, 80, 250 in one line to 7 pixels.
LINE = {
    0: [0, 0, 10, 10, 80, 80, 250],
    1: [0, 4, 9, 45, 92, 189, 250],
    2: [0, 0, 6, 30, 93, 196, 255],
    3: [0, 3, 10, 45, 80, 208, 250],
    4: [0, 3, 9, 26, 92, 199, 255],
}


@pytest.mark.parametrize("interp", LINE)
def test_resize_gives_the_bytes_that_opencv_gives(interp):
    line = mx.nd.array([[[0], [10], [80], [250]]], dtype="uint8")
    got = IMAGE.resize(line, size=(7, 1), interp=interp).asnumpy().ravel()
    np.testing.assert_array_equal(got, LINE[interp])


@pytest.mark.parametrize(
    ("call", "what"),
    [
        (lambda: IMAGE.crop(image(), x=5, y=0, width=2, height=1), "reaches outside"),
        (lambda: IMAGE.crop(image(), x=-1, y=0, width=2, height=1), "not negative"),
        (lambda: IMAGE.resize(image()), "1 or 2 positive numbers"),
        (lambda: IMAGE.resize(image(), size=3, interp=9), "interp must be"),
        (lambda: IMAGE.normalize(mx.nd.ones((2, 3, 3))), "1 or 3 channels"),
        (lambda: IMAGE.normalize(mx.nd.ones((3, 2, 2)), mean=(1, 2)), "mean has 2 entries"),
        (lambda: IMAGE.to_tensor(mx.nd.ones((3, 3))), "height, width, channel"),
        (lambda: IMAGE.adjust_lighting(image(), alpha=(1, 2)), "alpha has 2 entries"),
        (lambda: IMAGE.random_hue(mx.nd.ones((2, 2, 2)), min_factor=0, max_factor=1), "channels"),
        (lambda: IMAGE.random_hue(image(), min_factor=-1, max_factor=1), "min_factor is -1"),
    ],
)
def test_wrong_arguments_are_named(call, what):
    with pytest.raises(mx.MXNetError, match=f"operator _image_.*{what}"):
        call()
