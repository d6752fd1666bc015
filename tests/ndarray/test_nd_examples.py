"""The examples in the documentation of arrays and what they stand on."""

import doctest
import importlib

import numpy as np
import pytest

import baryon as mx
from baryon.namespaces import METHODS

MODULES = ["context", "name", "attribute", "random", "threads", "util"]
MODULES += ["ndarray.ndarray", "ndarray.creation", "ndarray.contrib", "ndarray.operations"]
MODULES += ["ndarray.random", "ndarray.interchange", "ndarray.serialization"]


@pytest.mark.parametrize("name", MODULES)
def test_examples(name):
    module = importlib.import_module(f"baryon.{name}")
    globs = {"mx": mx, "np": np}
    for test in doctest.DocTestFinder(exclude_empty=True).find(module, extraglobs=globs):
        if test.name.rpartition(".")[2] not in METHODS:  # operators' examples run elsewhere
            failed = doctest.DocTestRunner(verbose=False).run(test).failed
            assert failed == 0, test.name
