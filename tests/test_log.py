"""Loggers as ``mx.log`` makes them."""

from __future__ import annotations

import logging
import re

import pytest

import baryon as mx


@pytest.fixture
def name():
    yield "baryon-test-logger"
    logger = logging.getLogger("baryon-test-logger")
    for handler in [*logger.handlers]:
        handler.close()
        logger.removeHandler(handler)
    vars(logger).pop("_baryon_ready", None)


def test_one_line_a_message(name, capsys):
    logger = mx.log.get_logger(name, level=mx.log.INFO)
    assert mx.log.get_logger(name, level=mx.log.INFO) is logger and len(logger.handlers) == 1
    logger.debug("not shown")
    logger.warning("loss %d", 3)
    line = capsys.readouterr().err
    assert re.fullmatch(
        r"W\d{4} \d\d:\d\d:\d\d \d+ test_log.py:test_one_line\w+:\d+\] loss 3\n", line
    )


def test_files_are_appended_to(name, tmp_path):
    path = tmp_path / "log.txt"
    path.write_text("before\n")
    mx.log.get_logger(name, str(path)).error("after")
    first, second = path.read_text().splitlines()
    assert first == "before" and second.startswith("E") and second.endswith("] after")
    with pytest.warns(DeprecationWarning, match="get_logger"):
        mx.log.getLogger(name)


def test_features_are_named_as_mxnet_does():
    features = mx.runtime.Features()
    assert features is mx.runtime.Features() is mx.runtime.Features.instance
    assert {"CUDA", "CUDNN", "OPENCV", "MKLDNN", "DIST_KVSTORE"} <= set(features)
    assert isinstance(features["CUDA"].enabled, bool) and features["CUDA"].name == "CUDA"
    with pytest.raises(RuntimeError, match="unknown"):
        features.is_enabled("WARP")
