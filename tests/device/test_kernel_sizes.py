"""CUDA kernels on views, on arrays without elements, and on more elements than 32 bits count."""

from __future__ import annotations

import warnings
from collections.abc import Iterator

import numpy as np
import pytest
from contract import SEED, STREAM, Call
from cuda_emulator import RawKernel, packed
from test_kernels import SAMPLES, compare, launched, pytestmark  # noqa: F401  (the mark is used)

import baryon as mx
from baryon import backend
from baryon.cuda.registry import implementation
from baryon.ops import get
from baryon.ops.philox import Philox

FIRST = {c.op.name: c for c in reversed(SAMPLES.values()) if c.dtype == "float32"}


def spaced(device, array: np.ndarray):
    """The values of an array on the device, every other element of a wider one."""
    if not array.ndim:
        return device.asarray(array)
    return device.asarray(np.repeat(array, 2, axis=-1))[..., ::2]


@pytest.mark.parametrize("call", FIRST.values(), ids=FIRST)
def test_views(call):
    device = backend.of_context(mx.gpu(0))
    rng = {"rng": Philox(device.xp, SEED, STREAM)} if call.op.is_random else {}
    arrays = [spaced(device, a) for a in call.arrays]
    found = implementation(call.op)(device.xp, *arrays, **call.attrs, **rng)
    if found is not NotImplemented:
        compare(call, found)


def emptied(call: Call) -> Iterator[Call]:
    """The call with an axis of its first array, and those of the others that are like it, empty."""
    for axis, size in enumerate(call.arrays[0].shape):
        arrays = [
            a[:, :0] if axis and a.ndim > 1 and a.shape[1] == size else a[:0]
            if a.ndim and a.shape[0] == size else a
            for a in call.arrays
        ]  # fmt: skip
        made = Call(call.op, call.sample, call.dtype, arrays, call.attrs)
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # means of nothing
                made.body()
        except (mx.MXNetError, ValueError, IndexError, ZeroDivisionError):
            continue  # no such call
        yield made
        if axis:
            return


@pytest.mark.parametrize("call", FIRST.values(), ids=FIRST)
def test_arrays_without_elements(call):
    for made in emptied(call) if call.arrays else ():
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            found = launched(made)
            if found is not NotImplemented:
                compare(made, found)


# ---- more elements than 32 bits count: nothing runs, so that no memory is touched ----------------

MANY = 2**31 + 16
LARGE = {
    "softmax": ([(MANY // 16, 16)], {}),
    "log_softmax": ([(1, MANY)], {}),
    "LayerNorm": ([(MANY // 64, 64), (64,), (64,)], {}),
    "Pooling": ([(MANY // 16, 1, 4, 4)], {"kernel": (2, 2), "pool_type": "max"}),
    "take": ([(16, MANY // 8), (8,)], {}),
    "pick": ([(MANY // 8, 8), (MANY // 8,)], {}),
    "SequenceMask": ([(8, 2, MANY // 16), (2,)], {"use_sequence_length": True}),
    "Pad": ([(2, MANY // 2)], {"mode": "edge", "pad_width": (0, 0, 3, 3)}),
    "Dropout": ([(MANY,)], {"p": 0.5}),
    "Activation": ([(MANY,)], {"act_type": "sigmoid"}),
    "sgd_mom_update": ([(MANY,)] * 3, {"lr": 0.1}),
    "_contrib_BilinearResize2D": ([(MANY // 16, 1, 4, 4)], {"height": 2, "width": 2}),
    "BilinearSampler": ([(1, MANY // 16, 4, 4), (1, 2, 4, 4)], {}),
    "LRN": ([(2, 8, MANY // 16)], {"nsize": 3}),
    "_contrib_box_iou": ([(MANY // 64, 4), (64, 4)], {}),
}


@pytest.mark.parametrize("name", LARGE)
def test_more_elements_than_32_bits_count(name, monkeypatch):
    shapes, given = LARGE[name]
    device, op, launches = backend.of_context(mx.gpu(0)), get(name), []

    def called(self, grid, block, args, *more):
        launches.append((self, grid, [packed(a).nbytes for a in args]))

    monkeypatch.setattr(RawKernel, "__call__", called)
    try:
        arrays = [device.xp.empty(s, np.float16) for s in shapes]
    except MemoryError:
        pytest.skip("no address space for arrays of 4 GiB")
    rng = {"rng": Philox(device.xp, SEED, STREAM)} if op.is_random else {}
    found = implementation(op)(device.xp, *arrays, **op.attributes(given, True), **rng)
    assert found is not NotImplemented
    assert launches
    for kernel, grid, sizes in launches:
        assert 0 < grid[0] < 2**31
        assert max(grid[1:], default=1) <= 65535
        assert sizes == list(kernel._sizes)[: kernel.count]
