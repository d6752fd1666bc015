"""Data for examples and tests."""

from __future__ import annotations

import bz2
import os
import struct
import zipfile
from typing import Any

import numpy as np

from .. import io
from ..gluon import utils
from ..io import DataBatch, DataIter

_MNIST_FILES = {
    "train": ("train-images-idx3-ubyte", "train-labels-idx1-ubyte"),
    "test": ("t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte"),
}
_SERVER = "http://data.mxnet.io/"


def download(
    url: str,
    fname: str | None = None,
    dirname: str | None = None,
    overwrite: bool = False,
    retries: int = 5,
) -> str:
    """Fetch a file (``http(s)://`` or ``file://``) and return its path.

    fname     : what to call it; default: the last part of `url`.
    dirname   : folder to put it in, made if need be.
    overwrite : whether to fetch it when it is already there.
    """
    fname = url.split("/")[-1] if fname is None else fname
    if dirname is not None:
        fname = os.path.join(dirname, fname)
        os.makedirs(dirname, exist_ok=True)
    return utils.download(url, fname, overwrite=overwrite, retries=retries)


def _fetched(url: str, folder: str, wanted: str) -> bool:
    """Whether a file had to be fetched into a folder because `wanted` was not there."""
    os.makedirs(folder, exist_ok=True)
    if os.path.exists(os.path.join(folder, wanted)):
        return False
    download(url, dirname=folder)
    return True


def get_zip_data(data_dir: str, url: str, data_origin_name: str) -> None:
    """Fetch a zip archive into a folder and unpack it there."""
    _fetched(url, data_dir, data_origin_name)
    with zipfile.ZipFile(os.path.join(data_dir, data_origin_name)) as archive:
        archive.extractall(data_dir)  # (member names are made safe by zipfile)


def get_bz2_data(data_dir: str, data_name: str, url: str, data_origin_name: str) -> None:
    """Fetch a bz2 file into a folder and unpack it to `data_name`, unless that is there."""
    target = os.path.join(data_dir, data_name)
    if os.path.exists(target):
        return
    _fetched(url, data_dir, data_origin_name)
    source = os.path.join(data_dir, data_origin_name)
    with bz2.BZ2File(source) as packed, open(target, "wb") as file:
        while block := packed.read(1 << 20):
            file.write(block)
    os.remove(source)


def get_mnist() -> dict[str, np.ndarray]:
    """Digits: ``train_data`` and ``test_data`` (n, 1, 28, 28), ``train_label``, ``test_label``.

    They are the digits that come with the package, not all of MNIST (`baryon.io.get_mnist`).
    """
    return io.get_mnist()


def get_mnist_ubyte() -> None:
    """Put the digits of `get_mnist` into the folder ``data``, in MNIST's files, unless there."""
    os.makedirs("data", exist_ok=True)
    if all(os.path.exists(f"data/{name}") for pair in _MNIST_FILES.values() for name in pair):
        return
    digits = get_mnist()
    for part, (images, labels) in _MNIST_FILES.items():
        pixels = np.round(digits[f"{part}_data"][:, 0] * 255)
        _write_idx(f"data/{images}", pixels)
        _write_idx(f"data/{labels}", digits[f"{part}_label"])


def _write_idx(path: str, array: np.ndarray) -> None:
    """A file of bytes as MNIST has them: a magic number, the shape, the elements."""
    header = struct.pack(f">I{array.ndim}I", 0x800 + array.ndim, *array.shape)
    with open(path, "wb") as file:
        file.write(header + array.astype(np.uint8).tobytes())


def get_mnist_iterator(
    batch_size: int, input_shape: tuple[int, ...], num_parts: int = 1, part_index: int = 0
) -> tuple[DataIter, DataIter]:
    """Iterators over the training and test digits.

    input_shape           : (784,) for flat images, (1, 28, 28) for square ones.
    num_parts, part_index : into how many parts the data is split, and which to read.
    """
    get_mnist_ubyte()
    flat = len(input_shape) != 3
    made = []
    for part, (images, labels) in _MNIST_FILES.items():
        made.append(
            io.MNISTIter(
                image=f"data/{images}",
                label=f"data/{labels}",
                batch_size=batch_size,
                shuffle=part == "train",
                flat=flat,
                num_parts=num_parts,
                part_index=part_index,
            )
        )
    return made[0], made[1]


def get_mnist_pkl() -> None:
    """Fetch ``data/mnist.pkl.gz`` unless it is there."""
    _fetched("http://deeplearning.net/data/mnist/mnist.pkl.gz", "data", "mnist.pkl.gz")


def get_cifar10() -> None:
    """Fetch CIFAR-10's record files into ``data/cifar`` unless they are there."""
    wanted = ["cifar/train.rec", "cifar/test.rec", "cifar/train.lst", "cifar/test.lst"]
    if not all(os.path.exists(f"data/{name}") for name in wanted):
        get_zip_data("data", f"{_SERVER}mxnet/data/cifar10.zip", "cifar10.zip")


def download_model(
    model_name: str, dst_dir: str = "./", meta_info: dict[str, dict[str, str]] | None = None
) -> tuple[str | None, int]:
    """Fetch a checkpoint: its prefix and epoch, or (None, 0) for a name that is not known.

    meta_info : by name, the addresses ``symbol`` and ``params``.
    """
    facts = (meta_info or {}).get(model_name)
    if facts is None:
        return None, 0
    os.makedirs(dst_dir, exist_ok=True)
    prefix = os.path.join(dst_dir, model_name)
    download(facts["symbol"], f"{prefix}-symbol.json")
    download(facts["params"], f"{prefix}-0000.params")
    return prefix, 0


def get_im2rec_path(home_env: str = "MXNET_HOME") -> str:
    """Path of the script ``im2rec.py``, in the folder that an environment variable names.

    OSError, naming the places looked at, when it is in none of them.
    """
    home = os.environ.get(home_env, "")
    places = [os.path.join(home, "tools", "im2rec.py"), os.path.join(home, "im2rec.py")]
    for place in places:
        if os.path.isfile(place):
            return place
    raise OSError(f"Could not find path to tools/im2rec.py: looked at {', '.join(places)}")


class DummyIter(DataIter):
    """The first batch of another iterator, over and over: for measuring computation alone."""

    def __init__(self, real_iter: DataIter) -> None:
        super().__init__()
        self.real_iter = real_iter
        self.provide_data = real_iter.provide_data
        self.provide_label = real_iter.provide_label
        self.batch_size = real_iter.batch_size
        self.the_batch: Any = next(real_iter)

    def __iter__(self) -> DummyIter:
        return self

    def next(self) -> DataBatch:
        """The same batch again."""
        return self.the_batch
