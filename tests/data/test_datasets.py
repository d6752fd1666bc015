"""Datasets, samplers and image data."""

import gzip

import numpy as np
import pytest

import baryon as mx
from baryon.gluon import data as D
from baryon.gluon.data import vision

TEN = D.SimpleDataset(list(range(10)))


def test_views_of_datasets():
    assert list(TEN.transform(lambda x: 2 * x)) == list(range(0, 20, 2))
    assert list(TEN.transform(lambda x: 2 * x, lazy=False)) == list(range(0, 20, 2))
    assert list(TEN.filter(lambda x: x % 2)) == [1, 3, 5, 7, 9]
    assert [len(TEN.take(n)) for n in (3, None, 99)] == [3, 10, 10]
    assert [list(TEN.shard(3, i)) for i in range(3)] == [[0, 1, 2, 3], [4, 5, 6], [7, 8, 9]]
    assert list(TEN.sample(D.SequentialSampler(3, 4))) == [4, 5, 6]
    pairs = D.SimpleDataset([(1, 2), (3, 4)])
    assert list(pairs.transform(lambda a, b: a + b)) == [3, 7]
    assert list(pairs.transform_first(lambda a: -a)) == [(-1, 2), (-3, 4)]


def test_views_refuse():
    for bad in (lambda: TEN.shard(3, 3), lambda: TEN.shard(0, 0)):
        with pytest.raises(AssertionError):
            bad()
    with pytest.raises(ValueError):
        TEN.take(-1)
    with pytest.raises(TypeError):
        TEN.sample([1])
    with pytest.raises(IndexError):
        TEN.take(3)[3]


def test_array_dataset():
    images, labels = np.random.rand(7, 2), np.arange(7)
    data = D.ArrayDataset(mx.nd.array(images), mx.nd.array(labels), list("abcdefg"))
    image, label, letter = data[5]
    np.testing.assert_allclose(image.asnumpy(), images[5], rtol=1e-6)
    assert (label, letter) == (5, "f") and isinstance(label, np.float32)
    assert D.ArrayDataset(labels)[3] == 3
    with pytest.raises(AssertionError, match="same length"):
        D.ArrayDataset(images, labels[:3])
    with pytest.raises(AssertionError):
        D.ArrayDataset()


def test_samplers():
    assert sorted(D.RandomSampler(50)) == list(range(50)) != list(D.RandomSampler(50))
    assert list(D.FilterSampler(lambda x: x > 6, TEN)) == [7, 8, 9]


@pytest.mark.parametrize(
    ("ending", "passes"),
    [
        ("keep", [[[0, 1, 2], [3, 4, 5], [6]]] * 2),
        ("discard", [[[0, 1, 2], [3, 4, 5]]] * 2),
        (
            "rollover",
            [[[0, 1, 2], [3, 4, 5]], [[6, 0, 1], [2, 3, 4]], [[5, 6, 0], [1, 2, 3], [4, 5, 6]]],
        ),
    ],
)
def test_batch_sampler(ending, passes):
    batches = D.BatchSampler(D.SequentialSampler(7), 3, ending)
    for expected in passes:
        assert len(batches) == len(expected)
        assert list(batches) == expected


def test_batch_sampler_refuses():
    for size, ending in ((0, "keep"), (2, "x")):
        with pytest.raises(ValueError):
            D.BatchSampler(D.SequentialSampler(7), size, ending)


def test_mnist_embedded(tmp_path, monkeypatch):
    monkeypatch.setenv("MXNET_HOME", str(tmp_path))
    train, test = vision.MNIST(), vision.MNIST(train=False)
    assert (len(train), len(test)) == (4000, 1000)
    images, labels = mx.io.embedded_mnist(train=False)
    image, label = test[17]
    assert image.dtype == np.uint8 and image.shape == (28, 28, 1)
    assert (image.asnumpy()[..., 0] == images[17]).all()
    assert label == labels[17] and label.dtype == np.int32


def test_mnist_of_a_folder(tmp_path, monkeypatch):
    monkeypatch.setenv("MXNET_HOME", str(tmp_path))
    folder = tmp_path / "datasets" / "fashion-mnist"
    folder.mkdir(parents=True)
    (folder / "t10k-images-idx3-ubyte").write_bytes(
        b"\0\0\x08\x03\0\0\0\2\0\0\0\1\0\0\0\3" + bytes(range(6))
    )
    with gzip.open(folder / "t10k-labels-idx1-ubyte.gz", "wb") as file:
        file.write(b"\0\0\x08\x01\0\0\0\2\7\x09")
    data = vision.FashionMNIST(train=False, transform=lambda x, y: (x.asnumpy().sum(), y + 1))
    assert [data[0], data[1]] == [(3, 8), (12, 10)]
    assert len(vision.MNIST(folder, train=False)) == 2
    with pytest.raises(mx.MXNetError, match="train-images-idx3-ubyte"):
        vision.MNIST(folder)
    with pytest.raises(mx.MXNetError, match="FashionMNIST"):
        vision.FashionMNIST(train=True)


def test_transforms():
    transforms = vision.transforms
    pixels = np.random.randint(0, 256, (4, 5, 3)).astype("uint8")
    both = transforms.Compose(
        [transforms.ToTensor(), transforms.Normalize((0.5, 0.4, 0.3), (1, 2, 3))]
    )
    expected = pixels.transpose(2, 0, 1) / 255
    expected = (expected - np.reshape((0.5, 0.4, 0.3), (3, 1, 1))) / np.reshape(
        (1, 2, 3), (3, 1, 1)
    )
    np.testing.assert_allclose(
        both(mx.nd.array(pixels, dtype="uint8")).asnumpy(), expected, rtol=1e-5, atol=1e-6
    )
    batch = mx.nd.array(pixels[None], dtype="uint8")
    assert transforms.ToTensor()(batch).shape == (1, 3, 4, 5)
    assert transforms.Cast("float16")(batch).dtype == np.float16
    flip = transforms.RandomFlipLeftRight()
    seen = {flip(mx.nd.array(pixels)).asnumpy().tobytes() for _ in range(20)}
    plain = pixels.astype("float32")
    assert seen == {plain.tobytes(), plain[:, ::-1].tobytes()}


def test_resize():
    image = mx.nd.array(np.full((4, 5, 3), 7), dtype="uint8")
    for hybrid in (False, True):
        resize = vision.transforms.Resize((8, 6))
        resize.hybridize(hybrid)
        assert resize(image).shape == (6, 8, 3) and (resize(image).asnumpy() == 7).all()
    assert vision.transforms.Resize(8, keep_ratio=True)(image).shape == (8, 10, 3)
    crop = vision.transforms.CropResize(1, 2, 3, 2)
    assert crop(image).shape == (2, 3, 3)
