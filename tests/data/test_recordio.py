"""Record files, byte for byte, and what is said of damaged ones."""

from __future__ import annotations

import json
import os
import pickle
import struct
from importlib.util import find_spec

import numpy as np
import pytest
from reference import reference

from baryon import recordio
from baryon.base import MXNetError

MAGIC = struct.pack("<I", 0xCED7230A)


@pytest.fixture
def golden():
    folder = reference("golden", "recordio")
    return folder, json.loads((folder / "index.json").read_text()), np.load(folder / "expected.npz")


def test_records_of_mxnet_are_read_and_written_byte_for_byte(golden, tmp_path):
    folder, facts, expected = golden
    source = recordio.MXIndexedRecordIO(folder / "raw.idx", folder / "raw.rec", "r")
    made = recordio.MXIndexedRecordIO(tmp_path / "a.idx", tmp_path / "a.rec", "w")
    for key in source.keys:
        record = source.read_idx(key)
        assert record == expected[f"raw/{key}"].tobytes()
        made.write_idx(key, record)
    made.close()
    assert len(source.keys) == facts["raw"]["records"]
    assert (tmp_path / "a.rec").read_bytes() == (folder / "raw.rec").read_bytes()
    assert (tmp_path / "a.idx").read_bytes() == (folder / "raw.idx").read_bytes()
    assert recordio.record_positions(tmp_path / "a.rec") == facts["raw"]["offsets"]


def test_images_of_mxnet(golden):
    folder, facts, expected = golden
    source = recordio.MXIndexedRecordIO(folder / "images.idx", folder / "images.rec", "r")
    for i, entry in enumerate(facts["images"]["entries"]):
        header, image = recordio.unpack_img(source.read_idx(entry["key"]))
        assert (header.flag, header.id, header.id2) == (entry["flag"], entry["id"], entry["id2"])
        np.testing.assert_array_equal(header.label, expected[f"images/{i}/label"])
        wanted = expected[f"images/{i}/unpack_img_bgr"].astype(int)
        assert image.shape == wanted.shape
        assert np.abs(image - wanted).max() <= (4 if entry["format"] == ".jpg" else 0)


@pytest.mark.parametrize("content", [b"", b"a", MAGIC, MAGIC * 3, b"ab" + MAGIC, b"abcd" + MAGIC])
def test_any_content_comes_back(tmp_path, content):
    path = tmp_path / "a.rec"
    with_it = recordio.MXRecordIO(path, "w")
    with_it.write(content)
    with_it.write(b"after")
    with_it.close()
    record = recordio.MXRecordIO(path, "r")
    assert [record.read() for _ in range(3)] == [content, b"after", None]
    record.reset()
    assert record.read() == content


def test_every_truncation_and_many_damages_are_told(tmp_path):
    path = tmp_path / "a.rec"
    writer = recordio.MXRecordIO(path, "w")
    for content in (b"0123456", b"abcd" + MAGIC + b"efgh"):
        writer.write(content)
    writer.close()
    whole = path.read_bytes()
    ends = {0, 16, len(whole)}  # after a record, a file may end
    for size in set(range(len(whole))) - ends:
        path.write_bytes(whole[:size])
        record = recordio.MXRecordIO(path, "r")
        with pytest.raises(MXNetError, match="a.rec"):
            while record.read() is not None:
                pass
    rng = np.random.default_rng(0)
    for _ in range(200):
        damaged = bytearray(whole)
        damaged[rng.integers(len(whole))] ^= 1 << rng.integers(8)
        path.write_bytes(damaged)
        try:
            record = recordio.MXRecordIO(path, "r")
            while record.read() is not None:
                pass
            recordio.record_positions(path)
        except MXNetError as error:
            assert "a.rec" in str(error)


def test_pickles_and_forks(tmp_path):
    paths = tmp_path / "a.idx", tmp_path / "a.rec"
    writer = recordio.MXIndexedRecordIO(*paths, "w")
    for i in range(3):
        writer.write_idx(i, b"%d" % i)
    with pytest.raises(MXNetError, match="emptied"):
        pickle.dumps(writer)
    writer.close()
    reader = recordio.MXIndexedRecordIO(*paths, "r")
    reader.read()
    copy = pickle.loads(pickle.dumps(reader))
    assert (copy.read(), copy.read_idx(2), reader.read()) == (b"0", b"2", b"1")
    plain = recordio.MXRecordIO(paths[1], "r")
    child = os.fork()
    if child == 0:
        try:  # an indexed reader opens the file anew, a sequential one wants to be told
            good = reader.read_idx(0) == b"0"
            plain.read()
        except RuntimeError as error:
            os._exit(0 if good and "multiple processes" in str(error) else 2)
        finally:
            os._exit(3)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert (plain.read(), reader.read_idx(1)) == (b"0", b"1")


def test_misuse(tmp_path):
    path = tmp_path / "a.rec"
    with pytest.raises(ValueError, match="Invalid flag a"):
        recordio.MXRecordIO(path, "a")
    with pytest.raises(MXNetError, match="none.rec"):
        recordio.MXRecordIO(tmp_path / "none.rec", "r")
    writer = recordio.MXRecordIO(path, "w")
    with pytest.raises(MXNetError, match="not read"):
        writer.read()
    with pytest.raises(TypeError):
        writer.write("text")
    writer.close()
    writer.close()
    with pytest.raises(MXNetError, match="closed"):
        writer.write(b"")
    (tmp_path / "a.idx").write_text("1\t0\nx\n")
    with pytest.raises(MXNetError, match="line 2"):
        recordio.MXIndexedRecordIO(tmp_path / "a.idx", path, "r")
    (tmp_path / "a.idx").write_text("")
    with pytest.raises(KeyError):
        recordio.MXIndexedRecordIO(tmp_path / "a.idx", path, "r").read_idx(9)


def test_headers():
    assert recordio.pack(recordio.IRHeader(7, 2.5, 3, 4), b"abc") == (
        struct.pack("<IfQQ", 0, 2.5, 3, 4) + b"abc"
    )
    nested = recordio.pack((0, np.array([[1, 2], [3, 4]]), 3, 4), b"abc")
    assert nested == struct.pack("<IfQQ4f", 4, 0, 3, 4, 1, 2, 3, 4) + b"abc"
    for short in (b"abc", nested[:-8]):
        with pytest.raises(MXNetError, match="unpack"):
            recordio.unpack(short)
    with pytest.raises(MXNetError, match="does not fit"):
        recordio.pack((0, 1.0, -3, 4), b"")


@pytest.mark.skipif(
    not (find_spec("cv2") or find_spec("PIL")), reason="images need OpenCV or Pillow"
)
def test_images_in_and_out():
    with pytest.raises(MXNetError, match="no image"):
        recordio.unpack_img(recordio.pack((0, 1, 2, 3), b"no image at all"))
    image = (np.arange(60).reshape(4, 5, 3) * 4).astype("uint8")
    record = recordio.pack_img((0, 1, 2, 3), image, quality=3, img_fmt=".png")
    np.testing.assert_array_equal(recordio.unpack_img(record)[1], image)
    assert recordio.unpack_img(record, iscolor=0)[1].shape == (4, 5)
    smooth = np.linspace(0, 200, 64 * 64 * 3).reshape(64, 64, 3).astype("uint8")
    good = recordio.pack_img((0, 1, 2, 3), smooth)
    poor = recordio.pack_img((0, 1, 2, 3), smooth, quality=5, img_fmt=".JPEG")
    assert len(poor) < len(good)
    assert np.abs(recordio.unpack_img(good)[1].astype(int) - smooth).max() < 12
    with pytest.raises(MXNetError, match=r"'\.xyz'"):
        recordio.pack_img((0, 1, 2, 3), image, img_fmt=".xyz")
    for wrong in (image.astype("float32"), image[..., :2], image[:0]):
        with pytest.raises(MXNetError, match="encoding an image"):
            recordio.pack_img((0, 1, 2, 3), wrong)
