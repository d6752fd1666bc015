"""`ImageRecordIter` against what MXNet's gives of the same files and parameters."""

from __future__ import annotations

import inspect
import json

import numpy as np
import pytest
from reference import reference

import baryon as mx
from baryon.base import MXNetError

pytest.importorskip("cv2")
CASES = [
    "default", "idx", "no_round", "resize40", "resize40_area_auto", "upscale", "norm", "mirror",
    "pad", "crop_size", "rotate", "gray", "uint8", "int8", "multi_label", "relabel", "part0of2",
    "part1of2", "jpeg",
]  # fmt: skip
# Grey levels by which OpenCV's versions may differ.
LEVELS = {"jpeg": 3, "rotate": 3}


def epochs(batches, count):
    for epoch in range(count):
        if epoch:
            batches.reset()
        for batch in batches:
            yield epoch, batch


@pytest.mark.parametrize("name", CASES)
def test_pixels_are_mxnet_s(name, monkeypatch):
    folder = reference("imagerecord")
    monkeypatch.chdir(folder)
    cases = {c["name"]: c for c in json.loads((folder / "index.json").read_text())["cases"]}
    expected = np.load(folder / cases[name]["npz"])
    batches = mx.io.ImageRecordIter(**cases[name]["kwargs"])
    assert str(batches.provide_data) == cases[name]["provide_data"]
    assert str(batches.provide_label) == cases[name]["provide_label"]
    found = list(epochs(batches, 2))
    assert len(found) == cases[name]["batches"]
    for i, (epoch, batch) in enumerate(found):
        data, label = batch.data[0].asnumpy(), batch.label[0].asnumpy()
        valid = len(data)
        if name == "no_round":  # where MXNet leaves memory as it was, and tells of no padding
            valid -= batch.pad
            assert not data[valid:].any()
        else:
            assert batch.pad == expected[f"batch{i}/pad"]
        assert epoch == expected[f"batch{i}/epoch"]
        np.testing.assert_array_equal(label[:valid], expected[f"batch{i}/label"][:valid])
        theirs = expected[f"batch{i}/data"][:valid].astype(np.float64)
        atol = LEVELS.get(name, 0) + 1e-5
        np.testing.assert_allclose(data[:valid], theirs, rtol=1e-5, atol=atol)


def test_golden_iterators():
    folder = reference("golden", "recordio")
    expected = np.load(folder / "expected.npz")
    cases = json.loads((folder / "index.json").read_text())["iterators"]
    for tag, case in cases.items():
        params = dict(case["params"])
        kind = getattr(mx.io, params.pop("class", "ImageRecordIter"))
        params.setdefault("data_shape", (3, 32, 32))
        batches = kind(path_imgrec=folder / "iter.rec", **params)
        found = list(batches)
        assert len(found) == case["batches"]
        assert [b.pad for b in found] == case.get("pad", [0] * len(found))
        for i, batch in enumerate(found):
            data = batch.data[0].asnumpy()
            theirs = expected[f"iter/{tag}/{i}/data"]
            assert data.dtype == (np.uint8 if tag == "uint8" else np.float32)
            atol = 2 if "resize" in tag else 1e-4
            np.testing.assert_allclose(data.astype(float), theirs.astype(float), atol=atol)
            np.testing.assert_array_equal(
                batch.label[0].asnumpy(), expected[f"iter/{tag}/{i}/label"]
            )


# ---- parameters ----------------------------------------------------------------------------------


@pytest.fixture
def records(tmp_path):
    """Seven images of random pixels, 20 x 24 and labelled by their ids, and their pixels."""
    path, rng = tmp_path / "a.rec", np.random.default_rng(0)
    record = mx.recordio.MXIndexedRecordIO(tmp_path / "a.idx", path, "w")
    pixels = rng.integers(0, 256, (7, 20, 24, 3), dtype=np.uint8)
    for i, image in enumerate(pixels):
        header = mx.recordio.IRHeader(0, float(i), i, 0)
        record.write_idx(i, mx.recordio.pack_img(header, image[..., ::-1], 1, ".png"))
    record.close()
    return path, pixels


def images(records, **more):
    given = dict(path_imgrec=records[0], data_shape=(3, 20, 24), batch_size=4, verbose=False)
    return mx.io.ImageRecordIter(**{**given, **more})


def labels(batches):
    return [b.label[0].asnumpy().astype(int).tolist() for b in batches]


def test_arguments_may_be_strings(records):
    batches = images(records, data_shape="(3, 20, 24)", batch_size="4", mirror="True", scale="0.5")
    np.testing.assert_array_equal(
        next(batches).data[0].asnumpy(), records[1][:4, :, ::-1].transpose(0, 3, 1, 2) / 2
    )


def test_parts_of_bytes_and_of_records(records):
    index = records[0].with_suffix(".idx")
    for more in ({}, {"path_imgidx": index}):
        parts = [
            sum(labels(images(records, batch_size=1, num_parts=3, part_index=i, **more)), [])
            for i in range(3)
        ]
        assert sum(parts, []) == list(range(7))
    assert [len(p) for p in parts] == [3, 3, 1]  # MXNet's, of records


def test_several_files(records, tmp_path):
    both = f"{records[0]};{records[0]}"
    assert labels(images(records, path_imgrec=both, batch_size=7)) == [[*range(7)]] * 2
    folder = tmp_path / "folder"
    folder.mkdir()
    (folder / "b.rec").write_bytes(records[0].read_bytes())
    assert labels(images(records, path_imgrec=folder, batch_size=7)) == [[*range(7)]]


def test_shuffled_epochs_hold_all_and_depend_on_the_seed_alone(records):
    def epochs(**more):
        batches = images(records, batch_size=7, shuffle=True, **more)
        found = labels(batches)
        batches.reset()
        return found + labels(batches)

    first, second = epochs(seed=3)
    assert sorted(first) == sorted(second) == list(range(7)) and first != second
    assert epochs(seed=3, preprocess_threads=1, prefetch_buffer=1) == [first, second]
    assert epochs(seed=4) != [first, second]


def test_random_choices_depend_on_the_seed_alone(records):
    settings = dict(
        data_shape=(3, 12, 12), rand_crop=True, rand_mirror=True, max_rotate_angle=10,
        max_shear_ratio=0.1, max_aspect_ratio=0.2, min_random_scale=0.8, max_random_scale=1.2,
        brightness=0.2, contrast=0.2, saturation=0.2, random_h=20, random_s=20, random_l=20,
        pca_noise=0.1, max_random_contrast=0.1, max_random_illumination=3, inter_method=10,
    )  # fmt: skip

    def run(**more):
        return np.stack([b.data[0].asnumpy() for b in images(records, **settings, **more)])

    one = run(seed_aug=1)
    np.testing.assert_array_equal(one, run(seed_aug=1, preprocess_threads=1))
    assert (one != run(seed_aug=2)).any()
    assert one.shape == (2, 4, 3, 12, 12) and np.isfinite(one).all()


def test_crops_are_parts_of_the_image(records):
    for data in next(images(records, data_shape=(3, 12, 12), rand_crop=True)).data[0].asnumpy():
        windows = np.lib.stride_tricks.sliding_window_view(records[1], (12, 12), axis=(1, 2))
        found = (windows == data).all(axis=(3, 4, 5)).any(axis=(0, 1, 2))
        assert found
    area = dict(random_resized_crop=True, min_random_area=0.3, max_random_area=0.5)
    batch = next(images(records, data_shape=(3, 9, 9), max_aspect_ratio=0.3, **area))
    assert batch.data[0].shape == (4, 3, 9, 9)


def test_mean_image_is_made_once(records, tmp_path):
    path = str(tmp_path / "mean.nd")
    batch = next(images(records, mean_img=path))
    mean = records[1].astype(np.float64).mean(axis=0).transpose(2, 0, 1)
    np.testing.assert_allclose(mx.nd.load(path)["mean_img"].asnumpy(), mean, rtol=1e-6)
    wanted = records[1][:4].transpose(0, 3, 1, 2) - mean
    np.testing.assert_allclose(batch.data[0].asnumpy(), wanted, atol=1e-4)
    with pytest.raises(MXNetError, match="mean_img"):
        images(records, mean_img=path, data_shape=(3, 10, 10))


def test_bytes_stay_bytes(records):
    with pytest.warns(UserWarning, match="mean_r has no effect"):
        batch = next(images(records, dtype="uint8", mean_r=3))
    np.testing.assert_array_equal(batch.data[0].asnumpy(), records[1][:4].transpose(0, 3, 1, 2))
    batch = next(mx.io.ImageRecordInt8Iter(
        path_imgrec=records[0], data_shape=(3, 20, 24), batch_size=4, mean_r=128, mean_g=128,
        mean_b=128,
    ))  # fmt: skip
    np.testing.assert_array_equal(
        batch.data[0].asnumpy(), records[1][:4].transpose(0, 3, 1, 2).astype(int) - 128
    )


def test_getters_and_modules(records):
    batches = images(records)
    with pytest.raises(MXNetError, match="no current batch"):
        batches.getdata()
    assert batches.iter_next() and batches.getpad() == 0
    assert batches.getindex().tolist() == [0, 1, 2, 3]
    assert batches.getdata().shape == (4, 3, 20, 24) and batches.getlabel().shape == (4,)
    batches.reset()
    assert isinstance(batches, mx.io.MXDataIter)
    net = mx.sym.SoftmaxOutput(
        mx.sym.FullyConnected(mx.sym.var("data"), num_hidden=7), name="softmax"
    )
    module = mx.mod.Module(net)
    module.fit(batches, num_epoch=1)
    batches.reset()
    assert module.predict(batches).shape[1] == 7


WRONG = [
    (dict(resize="x"), ValueError, "resize must be int"),
    (dict(data_shape=(2, 4, 4)), ValueError, "data_shape"),
    (dict(batch_size=0), ValueError, "batch_size"),
    (dict(inter_method=7), ValueError, "inter_method"),
    (dict(max_crop_size=9), ValueError, "min_crop_size"),
    (dict(min_random_area=2), ValueError, "min_random_area"),
    (dict(aug_seq="x"), MXNetError, "aug_seq"),
    (dict(dtype="float16"), MXNetError, "dtype"),
    (dict(ctx="tpu"), ValueError, "ctx"),
    (dict(part_index=1), MXNetError, "part_index"),
    (dict(path_imgrec="none.rec"), MXNetError, r"none\.rec"),
    (dict(path_imgrec=""), MXNetError, "path_imgrec"),
    (dict(path_imglist="none.lst"), MXNetError, r"none\.lst"),
    (dict(label_width=2), MXNetError, "id 0.*label_width"),
    (dict(data_shape=(4, 9, 9)), MXNetError, "id 0.*4 channels"),
    (dict(max_crop_size=90, min_crop_size=90), MXNetError, "id 0.*max_crop_size"),
]


@pytest.mark.parametrize("arguments,error,match", WRONG)
def test_errors(records, arguments, error, match):
    with pytest.raises(error, match=match):
        next(images(records, **arguments))


def test_signatures_name_the_arguments():
    arguments = set(inspect.signature(mx.io.ImageRecordIter).parameters)
    assert arguments >= {
        "path_imgrec",
        "mean_img",
        "std_a",
        "min_random_area",
        "random_h",
        "seed_aug",
    }
    arguments = set(inspect.signature(mx.io.ImageDetRecordIter).parameters)
    assert arguments >= {"label_pad_width", "min_crop_overlaps", "rand_mirror_prob", "resize_mode"}


def test_unknown_arguments_are_told(records):
    with pytest.warns(UserWarning, match="ImageRecordIter has no argument 'facebook_aug'"):
        images(records, facebook_aug=True)
    digits = mx.io.EMBEDDED_MNIST
    files = dict(
        image=digits / "t10k-images-idx3-ubyte.gz", label=digits / "t10k-labels-idx1-ubyte.gz"
    )
    with pytest.warns(UserWarning, match="MNISTIter has no argument 'input_shape'"):
        assert (
            mx.io.MNISTIter(**files, flat=True, input_shape=(784,)).provide_data[0].shape[1] == 784
        )


def test_damaged_files(records, tmp_path):
    whole = records[0].read_bytes()
    path = tmp_path / "b.rec"
    path.write_bytes(whole[:-50])
    with pytest.raises(MXNetError, match=r"b\.rec.*damaged"):
        images(records, path_imgrec=path)
    with pytest.raises(MXNetError, match=r"b\.rec"):  # the index hides the damage until it is read
        list(images(records, path_imgrec=path, path_imgidx=records[0].with_suffix(".idx")))
    damaged = whole[:40] + bytes(60) + whole[100:]
    path.write_bytes(damaged)
    batches = images(records, path_imgrec=path)
    with pytest.raises(MXNetError, match="id 0"):
        next(batches)
    path.with_suffix(".lst").write_text("0\t1\ta.png\nx\n")
    with pytest.raises(MXNetError, match="line 2"):
        images(records, path_imglist=path.with_suffix(".lst"))
