"""The examples in the documentation of reading data."""

import doctest
import importlib

import numpy as np
import pytest

import baryon as mx

MODULES = ["recordio", "image.geometry", "image.rotation", "image.augmenters", "image.iterator"]
MODULES += ["image.detection_augmenters", "image.detection_iter", "vocabulary"]
MODULES += ["io.libsvm", "io.image_record", "io.image_det_record", "io.arrays", "io.base", "io.idx"]
MODULES += ["gluon.data.dataset", "gluon.data.sampler", "gluon.data.dataloader"]
MODULES += ["gluon.data.vision.datasets", "gluon.contrib.data.sampler", "gluon.contrib.data.text"]


@pytest.mark.parametrize("name", MODULES)
def test_examples(name):
    pytest.importorskip("cv2")
    module = importlib.import_module(f"baryon.{name}")
    assert doctest.testmod(module, extraglobs={"mx": mx, "np": np}).failed == 0
