"""``.params`` files: MXNet's bytes both ways, and files that are damaged."""

import json
import os
import pickle
import struct

import numpy as np
import pytest
from reference import reference

import baryon as mx
from baryon import nd
from baryon.ndarray import serialization

DTYPES = ["float16", "float32", "float64", "bfloat16", "int8", "int32", "int64", "uint8", "bool"]


def named():
    rng = np.random.default_rng(0)
    return {f"{t}/é": nd.array(rng.integers(0, 2, (2, 3)), dtype=t) for t in DTYPES}


def same(a, b):
    assert a.dtype is b.dtype
    np.testing.assert_array_equal(a.asnumpy(), b.asnumpy())


def test_dicts_lists_and_arrays_come_back(tmp_path):
    path = tmp_path / "x.params"
    arrays = named()
    nd.save(path, arrays)
    loaded = nd.load(str(path))
    assert list(loaded) == list(arrays)
    for name in arrays:
        same(loaded[name], arrays[name])
    nd.save(str(path), list(arrays.values()))
    for a, b in zip(nd.load(path), arrays.values(), strict=True):
        same(a, b)
    nd.save(path, nd.ones(2))
    assert len(nd.load(path)) == 1
    for empty in ([], {}):
        nd.save(path, empty)
        assert nd.load(path) == []
    nd.save(path, [nd.array([]), nd.array(np.zeros((0, 3)))])
    assert [x.shape for x in nd.load(path)] == [(0,), (0, 3)]
    assert os.listdir(tmp_path) == ["x.params"]


def test_bytes_are_mxnets(tmp_path):
    path = tmp_path / "x.params"
    nd.save(path, {"w": nd.array([[1, 2]], dtype="int32")})
    want = struct.pack("<QQQ", 0x112, 0, 1)
    want += struct.pack("<Iii2q", 0xF993FAC9, 0, 2, 1, 2) + struct.pack("<iii", 1, 0, 4)
    want += struct.pack("<2i", 1, 2) + struct.pack("<QQ", 1, 1) + b"w"
    assert path.read_bytes() == want


@pytest.mark.parametrize("bad", [3, "text", [1, 2], {"a": 1}, {1: nd.ones(1)}, None], ids=repr)
def test_only_arrays_can_be_saved(bad, tmp_path):
    with pytest.raises((TypeError, ValueError)):
        nd.save(tmp_path / "x", bad)
    assert os.listdir(tmp_path) == []


def test_a_failed_save_leaves_the_old_file(tmp_path, monkeypatch):
    path = tmp_path / "x.params"
    nd.save(path, [nd.ones(3)])
    before = path.read_bytes()
    chunks = serialization._array_chunks

    def broken(x):
        yield next(chunks(x))
        raise KeyboardInterrupt

    monkeypatch.setattr(serialization, "_array_chunks", broken)
    with pytest.raises(KeyboardInterrupt):
        nd.save(path, [nd.zeros(3)])
    assert path.read_bytes() == before
    assert os.listdir(tmp_path) == ["x.params"]


def test_a_save_keeps_mode_and_link(tmp_path):
    path, link = tmp_path / "x.params", tmp_path / "link"
    nd.save(path, [nd.ones(3)])
    path.chmod(0o640)
    link.symlink_to(path)
    nd.save(link, [nd.zeros(3)])
    assert link.is_symlink()
    assert path.stat().st_mode & 0o777 == 0o640
    assert nd.load(path)[0].asnumpy().sum() == 0


def test_every_truncation_raises(tmp_path):
    path = tmp_path / "x.params"
    nd.save(path, {"weight": nd.ones((2, 2)), "bias": nd.zeros(3)})
    whole = path.read_bytes()
    for size in range(len(whole)):
        path.write_bytes(whole[:size])
        with pytest.raises(mx.MXNetError, match="x.params: .*(truncated|corrupt)"):
            nd.load(path)
    with pytest.raises(mx.MXNetError, match="follow the end"):
        nd.load_frombuffer(whole + b"!")


def test_any_changed_byte_loads_or_raises():
    whole = b"".join(bytes(c) for c in serialization._file_chunks([nd.ones((2, 2))], ["w"]))
    for at in range(len(whole)):
        for value in (0, 1, 0x7F, 0xFF):
            changed = whole[:at] + bytes([value]) + whole[at + 1 :]
            try:
                nd.load_frombuffer(changed)
            except mx.MXNetError as error:
                assert "buffer: " in str(error)


@pytest.mark.parametrize(
    "content, why",
    [
        (b"not a parameter file at all", "not an NDArray file"),
        (struct.pack("<QQQ", 0x112, 0, 2**60), "array 0 of"),
        (struct.pack("<QQQIii", 0x112, 0, 1, 0xF993FAC9, 0, 2**30), "dimensions"),
        (struct.pack("<QQQIii2q", 0x112, 0, 1, 0xF993FAC9, 0, 2, 2**40, 2**40), "needs"),
        (struct.pack("<QQQIiiq", 0x112, 0, 1, 0xF993FAC9, 0, 1, -5), "shape"),
        (struct.pack("<QQQIiiqiii", 0x112, 0, 1, 0xF993FAC9, 0, 1, 1, 1, 0, 99), "type code 99"),
        (struct.pack("<QQQIii", 0x112, 0, 1, 0xF993FAC9, 7, 1), "storage type 7"),
        (struct.pack("<QQQQ", 0x112, 0, 0, 3), "3 names for 0 arrays"),
    ],
)
def test_what_is_wrong_is_named(content, why):
    with pytest.raises(mx.MXNetError, match=why):
        nd.load_frombuffer(content)


def test_huge_shapes_ask_for_no_memory():
    head = struct.pack("<QQQIii2q", 0x112, 0, 1, 0xF993FAC9, 0, 2, 2**31, 2**31)
    with pytest.raises(mx.MXNetError, match=f"needs {2**64} more bytes"):
        nd.load_frombuffer(head + struct.pack("<iii", 1, 0, 0) + b"0" * 100)


def test_load_of_no_file_or_buffer(tmp_path):
    with pytest.raises(FileNotFoundError):
        nd.load(tmp_path / "absent")
    with pytest.raises(ValueError, match="bytes"):
        nd.load_frombuffer("text")


def test_legacy_arrays():
    values = struct.pack("<3f", 1, 2, 3)
    oldest = struct.pack("<IIiii", 1, 3, 1, 0, 0) + values
    v1 = struct.pack("<IiQiii", 0xF993FAC8, 1, 3, 1, 0, 0) + values
    for array in (oldest, v1):
        content = struct.pack("<QQQ", 0x112, 0, 1) + array + struct.pack("<Q", 0)
        assert nd.load_frombuffer(content)[0].asnumpy().tolist() == [1, 2, 3]


def test_arrays_saved_from_absent_gpus_load_on_the_cpu():
    array = struct.pack("<Iiiqiii", 0xF993FAC9, 0, 1, 2, 2, 99, 0) + struct.pack("<2f", 1, 2)
    content = struct.pack("<QQQ", 0x112, 0, 1) + array + struct.pack("<Q", 0)
    assert nd.load_frombuffer(content)[0].context == mx.cpu()


# ---- files of the real MXNet ---------------------------------------------------------------------


@pytest.mark.parametrize("file", ["list.nd", "dict.nd", "np_dict.nd", "sparse.nd", "empty_list.nd"])
def test_mxnets_files(file, tmp_path):
    folder = reference("golden", "models", "nd_save")
    index = json.loads(reference("golden", "models", "index.json").read_text())
    expected = np.load(folder / "expected.npz")
    loaded = nd.load(str(folder / file))
    content = index["models"]["nd_save"]["content"].get(file, [])
    assert len(loaded) == len(content)
    for i, entry in enumerate(content):
        x = loaded[entry["name"] if isinstance(loaded, dict) else i]
        want = expected[entry["key"]]
        assert x.shape == tuple(entry["shape"])
        assert x.asnumpy().dtype == want.dtype
        np.testing.assert_array_equal(x.asnumpy(), want)
    if file in ("list.nd", "dict.nd", "np_dict.nd"):
        nd.save(tmp_path / file, loaded)
        again = nd.load(tmp_path / file)
        assert type(again) is type(loaded)
        if file != "np_dict.nd":  # there every array carries the newer magic number
            assert (tmp_path / file).read_bytes() == (folder / file).read_bytes()


def test_mxnets_oldest_file():
    folder = reference("golden", "legacy")
    want = np.load(folder / "legacy_ndarray.npz")
    loaded = nd.load(str(folder / "legacy_ndarray.v0"))
    assert len(loaded) == len(want.files)
    for i, x in enumerate(loaded):
        np.testing.assert_array_equal(x.asnumpy(), want[str(i)])


def test_all_of_mxnets_parameter_files_load():
    files = sorted(reference("golden", "models").rglob("*.params"))
    for file in files:
        before = file.read_bytes()
        arrays = nd.load(file)
        written = b"".join(
            bytes(c) for c in serialization._file_chunks(list(arrays.values()), list(arrays))
        )
        if before[24] == 0xC9:  # not written under numpy shapes
            assert written == before, file.name


# ---- pickles -------------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", DTYPES)
def test_pickle(dtype):
    x = nd.array([[0, 1, 1]], dtype=dtype, ctx=mx.cpu(1))
    x.attach_grad()
    y = pickle.loads(pickle.dumps(x))
    same(x, y)
    assert y.context == mx.cpu(1)
    assert y.grad is None
    y[:] = 0
    assert pickle.loads(pickle.dumps(nd.array([]))).shape == (0,)


def test_mxnets_pickled_state():
    handle = struct.pack("<Iiiqiii", 0xF993FAC9, 0, 1, 2, 1, 0, 0) + struct.pack("<2f", 3, 4)
    x = nd.NDArray.__new__(nd.NDArray)
    x.__setstate__({"handle": handle})
    assert x.asnumpy().tolist() == [3, 4]
    assert nd.array([3, 4]).__getstate__() == {"handle": handle}
    with pytest.raises(mx.MXNetError, match="truncated"):
        x.__setstate__({"handle": handle[:-1]})
