"""The examples in the documentation of reading data."""

import doctest
import importlib

import numpy as np
import pytest

import baryon as mx

MODULES = ["recordio", "image.geometry", "image.rotation", "image.augmenters", "image.iterator"]
MODULES += ["image.detection_augmenters", "image.detection_iter"]


@pytest.mark.parametrize("name", MODULES)
def test_examples(name):
    pytest.importorskip("cv2")
    module = importlib.import_module(f"baryon.{name}")
    assert doctest.testmod(module, extraglobs={"mx": mx, "np": np}).failed == 0
