"""Splitting, clipping, downloading."""

from __future__ import annotations

import hashlib

import numpy as np
import pytest

import baryon as mx
from baryon.gluon import utils


def test_split_data():
    x = mx.nd.array(np.arange(20).reshape(10, 2))
    assert [p.shape for p in utils.split_data(x, 2)] == [(5, 2), (5, 2)]
    with pytest.raises(ValueError, match="cannot be evenly split into 3 slices"):
        utils.split_data(x, 3)
    parts = utils.split_data(x, 3, even_split=False)
    assert [p.shape[0] for p in parts] == [4, 3, 3]
    np.testing.assert_array_equal(np.concatenate([p.asnumpy() for p in parts]), x.asnumpy())
    columns = utils.split_data(x, 2, batch_axis=1)
    np.testing.assert_array_equal(columns[1].asnumpy(), x.asnumpy()[:, 1:])


def test_split_and_load():
    parts = utils.split_and_load(np.arange(4), [mx.cpu(0), mx.cpu(1)])
    assert [p.context for p in parts] == [mx.cpu(0), mx.cpu(1)]
    np.testing.assert_array_equal(parts[1].asnumpy(), [2, 3])


def test_clip_global_norm():
    arrays = [mx.nd.ones((2, 2)), mx.nd.ones(3) * 2]
    assert utils.clip_global_norm(arrays, 1.0) == pytest.approx(4.0)
    np.testing.assert_allclose(arrays[0].asnumpy(), np.full((2, 2), 0.25))
    np.testing.assert_allclose(arrays[1].asnumpy(), [0.5, 0.5, 0.5])
    assert utils.clip_global_norm(arrays, 5.0, check_isfinite=False).shape == (1,)
    np.testing.assert_allclose(arrays[1].asnumpy(), [0.5, 0.5, 0.5])
    with pytest.warns(UserWarning, match="nan or inf"):
        utils.clip_global_norm([mx.nd.array([np.nan])], 1.0)


def test_download_from_a_file(tmp_path, capsys):
    source, target = tmp_path / "source.bin", tmp_path / "target.bin"
    source.write_bytes(b"baryon" * 1000)
    digest = hashlib.sha1(source.read_bytes()).hexdigest()
    url = source.as_uri()
    assert utils.download(url, str(target), sha1_hash=digest) == str(target)
    assert target.read_bytes() == source.read_bytes()
    assert utils.check_sha1(str(target), digest)
    capsys.readouterr()
    utils.download(url, str(target), sha1_hash=digest)
    assert capsys.readouterr().out == ""  # it was there already
    folder = tmp_path / "folder"
    folder.mkdir()
    assert utils.download(url, str(folder)) == str(folder / "source.bin")


def test_failed_download_leaves_nothing(tmp_path):
    source = tmp_path / "source.bin"
    source.write_bytes(b"x")
    target = tmp_path / "out" / "target.bin"
    with pytest.raises(UserWarning, match="content hash does not match"):
        utils.download(source.as_uri(), str(target), sha1_hash="0" * 40, retries=0)
    assert list(target.parent.iterdir()) == []
    with pytest.raises(mx.MXNetError, match="expected an http"):
        utils.download("ftp://host/file", str(target), retries=0)


def test_shape_is_known():
    assert utils.shape_is_known((1, 2))
    assert not utils.shape_is_known((1, 0))
    assert not utils.shape_is_known(None)


def test_replace_file(tmp_path):
    a, b = tmp_path / "a", tmp_path / "b"
    a.write_text("new")
    b.write_text("old")
    utils.replace_file(str(a), str(b))
    assert b.read_text() == "new" and not a.exists()
