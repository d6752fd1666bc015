"""Lists and record files as MXNet's tools/im2rec.py makes them."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest
from reference import reference

import baryon as mx
from baryon import im2rec, pixels, recordio
from baryon.base import MXNetError

pytest.importorskip("cv2")


@pytest.fixture
def root(tmp_path):
    folder = tmp_path / "root"
    for i, name in enumerate(("top.png", "a/x.png", "a/deep/y.PNG", "b/k.jpg", "b/n.txt")):
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(pixels.encode(np.full((20, 30, 3), 10 * i, np.uint8), ".png"))
    return folder


def run(tmp_path, root, *options):
    return im2rec.main([str(tmp_path / "p"), str(root), *options])


def lines(path):
    return path.read_text().splitlines()


def test_lists(tmp_path, root):
    run(tmp_path, root, "--list")
    assert lines(tmp_path / "p.lst") == ["0\t0.000000\ttop.png"]
    run(tmp_path, root, "--list", "--recursive", "--no-shuffle")
    whole = ["0\t0.000000\ttop.png", "1\t1.000000\ta/x.png", "2\t2.000000\ta/deep/y.PNG",
             "3\t3.000000\tb/k.jpg"]  # fmt: skip
    assert lines(tmp_path / "p.lst") == whole
    (tmp_path / "p.lst").unlink()
    run(tmp_path, root, "--list", "--recursive", "--train-ratio", "0.5", "--test-ratio", "0.25")
    parts = [lines(tmp_path / f"p_{part}.lst") for part in ("test", "train", "val")]
    assert [len(p) for p in parts] == [1, 2, 1] and sorted(sum(parts, [])) == whole
    run(tmp_path, root, "--list", "--recursive", "--chunks", "2", "--exts", ".jpg")
    assert [len(lines(tmp_path / f"p_{i}.lst")) for i in (0, 1)] == [1, 0]


def test_shuffled_as_by_mxnet(tmp_path, root):
    (root / "b" / "q.png").write_bytes((root / "top.png").read_bytes())
    (root / "b" / "z.png").write_bytes((root / "top.png").read_bytes())
    run(tmp_path, root, "--list", "--recursive")
    assert [int(line.split("\t")[0]) for line in lines(tmp_path / "p.lst")] == [2, 5, 0, 4, 3, 1]


def test_records(tmp_path, root):
    (tmp_path / "p.lst").write_text("0\t1\t2.5\ttop.png\n4\t3\t4\ta/x.png\n")
    assert run(tmp_path, root, "--pass-through", "--pack-label") == 0
    record = recordio.MXIndexedRecordIO(tmp_path / "p.idx", tmp_path / "p.rec", "r")
    header, content = recordio.unpack(record.read_idx(4))
    assert header.label.tolist() == [3, 4] and content == (root / "a" / "x.png").read_bytes()
    shapes = {
        ("--resize", "10"): (10, 15, 3),
        ("--center-crop",): (20, 20, 3),
        ("--center-crop", "--resize", "10", "--color", "0"): (10, 10),
    }
    for options, shape in shapes.items():
        run(tmp_path, root, "--encoding", ".png", "--num-thread", "2", *options)
        record = recordio.MXIndexedRecordIO(tmp_path / "p.idx", tmp_path / "p.rec", "r")
        header, image = recordio.unpack_img(record.read_idx(4))
        assert (header.label, image.shape) == (3, shape) and (image == 10).all()
    (batch,) = mx.io.ImageRecordIter(
        path_imgrec=tmp_path / "p.rec", path_imglist=tmp_path / "p.lst", label_width=2,
        data_shape=(3, 10, 10), batch_size=2,
    )  # fmt: skip
    assert batch.label[0].asnumpy().tolist() == [[1, 2.5], [3, 4]]


def test_records_of_mxnet_byte_for_byte(tmp_path):
    folder = reference("imagerecord")
    for name, options in (
        ("png", ["--pass-through"]),
        ("multi", ["--pass-through", "--pack-label"]),
    ):
        (tmp_path / "p.lst").write_bytes((folder / f"{name}.lst").read_bytes())
        run(tmp_path, folder / "img", *options)
        for end in ("rec", "idx"):
            ours, theirs = tmp_path / f"p.{end}", folder / f"{name}.{end}"
            assert ours.read_bytes() == theirs.read_bytes(), (name, end)


def test_what_cannot_be_packed_is_left_out_and_told(tmp_path, root, capsys):
    (root / "top.png").write_bytes(b"no image")
    (tmp_path / "p.lst").write_text("0\t1\ttop.png\n1\t3\ta/x.png\n2\t5\tnone.png\n")
    assert run(tmp_path, root) == 1
    told = capsys.readouterr()
    assert "p.rec: 1 images" in told.out and "top.png" in told.err and "none.png" in told.err
    assert recordio.MXIndexedRecordIO(tmp_path / "p.idx", tmp_path / "p.rec", "r").keys == [1]
    (tmp_path / "p.lst").write_text("0\ttop.png\n")
    with pytest.raises(MXNetError, match="line 1"):
        run(tmp_path, root)
    assert not list(tmp_path.glob(".p.*"))
    (tmp_path / "p.lst").unlink()
    assert run(tmp_path, root) == 2


def test_command_line(tmp_path, root):
    command = [sys.executable, "-m", "baryon.im2rec"]
    for options, code in ((["--help"], 0), ([], 2), (["--chunks", "0", "p", str(root)], 2)):
        done = subprocess.run([*command, *options], capture_output=True, text=True, cwd=tmp_path)
        assert done.returncode == code and "usage" in done.stdout + done.stderr
