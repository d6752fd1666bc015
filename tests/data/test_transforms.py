"""Transforms of images: what each does, alone and composed, plain and hybridized."""

from __future__ import annotations

import random

import numpy as np
import pytest

import baryon as mx

T = mx.gluon.data.vision.transforms
PIXELS = (np.arange(6 * 8 * 3) * 53 % 256).reshape(6, 8, 3)

HYBRID = {
    "cast": lambda: T.Cast("float64"),
    "to_tensor": lambda: T.ToTensor(),
    "resize": lambda: T.Resize((5, 4)),
    "crop": lambda: T.CropResize(1, 2, 4, 3, size=6, interpolation=0),
    "left": lambda: T.RandomFlipLeftRight(),
    "top": lambda: T.RandomFlipTopBottom(),
    "brightness": lambda: T.RandomBrightness(0.4),
    "contrast": lambda: T.RandomContrast(0.4),
    "saturation": lambda: T.RandomSaturation(0.4),
    "hue": lambda: T.RandomHue(0.1),
    "jitter": lambda: T.RandomColorJitter(0.4, 0.4, 0.4, 0.1),
    "lighting": lambda: T.RandomLighting(0.1),
}


def image():
    return mx.nd.array(PIXELS, dtype="uint8")


def seed():
    mx.random.seed(1)
    np.random.seed(1)
    random.seed(1)


@pytest.mark.parametrize("name", HYBRID)
def test_hybridized_gives_what_plain_gives(name):
    found = []
    for hybrid in (False, True):
        block = HYBRID[name]()
        assert isinstance(block, mx.gluon.HybridBlock)
        block.hybridize(hybrid)
        seed()
        found.append(np.stack([block(image()).asnumpy() for _ in range(3)]))
    np.testing.assert_array_equal(*found)


def test_compose_joins_hybrid_blocks():
    steps = [T.Resize(7), T.RandomFlipLeftRight(), T.CenterCrop(5), T.ToTensor(), T.Normalize(0, 1)]
    both = T.Compose(steps)
    kinds = [type(child).__name__ for child in both]
    assert kinds == ["HybridSequential", "CenterCrop", "HybridSequential"]
    assert both(image()).shape == (3, 5, 5)


def test_center_crop_takes_the_middle():
    np.testing.assert_array_equal(T.CenterCrop((4, 2))(image()).asnumpy(), PIXELS[2:4, 2:6])
    assert T.CenterCrop(20)(image()).shape == (20, 20, 3)


@pytest.mark.parametrize(
    "block",
    [
        T.RandomResizedCrop((4, 3)),
        T.RandomApply([T.RandomFlipLeftRight()], p=0.5),
        T.Compose([T.RandomBrightness(0.5), T.ToTensor(), T.RandomRotation((-20, 20))]),
    ],
)
def test_seeds_decide(block):
    found = []
    for _ in range(2):
        seed()
        found.append(np.stack([block(image()).asnumpy() for _ in range(10)]))
    np.testing.assert_array_equal(*found)
    assert len({x.tobytes() for x in found[0]}) > 1


def test_apply_with_certainty_or_never():
    flip = T.CropResize(0, 0, 2, 2)
    assert T.RandomApply(flip, p=1)(image()).shape == (2, 2, 3)
    assert T.RandomApply(flip, p=0)(image()).shape == (6, 8, 3)


def test_rotations():
    x = T.ToTensor()(image())
    turned = T.Rotate(180)(x).asnumpy()
    np.testing.assert_allclose(turned, x.asnumpy()[:, ::-1, ::-1], atol=1e-4)
    same = T.RandomRotation((10, 20), rotate_with_proba=0)(x)
    np.testing.assert_array_equal(same.asnumpy(), x.asnumpy())
    for wrong in ({"angle_limits": (3, 3)}, {"angle_limits": (0, 1), "rotate_with_proba": 2}):
        with pytest.raises(ValueError, match="must be"):
            T.RandomRotation(**wrong)
    with pytest.raises(TypeError, match="float32"):
        T.Rotate(10)(image())
