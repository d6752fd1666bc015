"""The extension seen from Python: kernels, instruction sets, memory, threads."""

import multiprocessing
import os
import subprocess
import sys
import threading

import ml_dtypes
import numpy as np
import pytest

import baryon as mx
from baryon.base import MXNetError
from baryon.dtypes import CODES, DTYPES
from baryon.native import native

pytestmark = pytest.mark.skipif(native is None, reason="needs the native engine")


def python(code, **env):
    """What a fresh Python with these environment variables prints."""
    done = subprocess.run(
        [sys.executable, "-c", code], env={**os.environ, **env}, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip(), done.stderr.strip()


# ---- kernels -------------------------------------------------------------------------------------


def test_kernels_by_name():
    names = native.kernels()
    assert names == sorted(names) and "relu" in names
    assert native.has_kernel("relu") and not native.has_kernel("no such kernel")


def test_accepts_asks_for_shapes_and_types():
    spec = ((2, 3), CODES["float32"])
    assert native.accepts("relu", [spec], [spec], ())
    assert not native.accepts("no such kernel", [spec], [spec], ())
    with pytest.raises(MXNetError, match="dtype code 98"):
        native.accepts("relu", [((2,), 98)], [spec], ())


def test_run_kernel_checks_its_arrays():
    x, out = np.array([-1, 2], "f"), np.zeros(2, "f")
    native.run_kernel("relu", [x], [out], ())
    np.testing.assert_array_equal(out, [0, 2])
    frozen = np.zeros(2, "f")
    frozen.flags.writeable = False
    for ins, outs, message in [
        ([x], [frozen], "output 0 is read-only"),
        ([np.ones((2, 2), "f")[:, 0]], [out], "input 0: expected a C-contiguous"),
        ([x.astype(">f4")], [out], "input 0"),
        ([[1.0, 2.0]], [out], "got a list"),
        ([x], [np.zeros(2, "d")], "does not accept"),
    ]:
        with pytest.raises(MXNetError, match=message):
            native.run_kernel("relu", ins, outs, ())
    with pytest.raises(MXNetError, match="no kernel is named"):
        native.run_kernel("no such kernel", [x], [out], ())


@pytest.mark.parametrize("name", CODES)
def test_every_dtype_is_known(name):
    x = np.ones(3, DTYPES[name])
    out = np.zeros_like(x)
    native.run_kernel("_copy", [x], [out], ())
    assert (out == x).all()
    assert DTYPES["bfloat16"] == ml_dtypes.bfloat16


def test_lower_instruction_sets_agree():
    code = (
        "import numpy as np; from baryon.native import native as n;"
        "x = np.linspace(-3, 3, 1001, dtype='f'); y = np.empty_like(x);"
        "n.run_kernel('tanh', [x], [y], ());"
        "print(n.isa(), float(abs(y - np.tanh(x)).max()) < 1e-6)"
    )
    for isa in ("baseline", "v3", "v4"):
        got, agrees = python(code, BARYON_ISA=isa)[0].split()
        assert agrees == "True"
        if isa == "baseline" or native.isa() in ("v4", isa):
            assert got == isa
    _, warning = python("from baryon.native import native; native.isa()", BARYON_ISA="mmx")
    assert "BARYON_ISA=mmx is unknown here" in warning


def test_no_native():
    assert python("from baryon.native import native; print(native)", BARYON_NO_NATIVE="1") == (
        "None",
        "",
    )


# ---- memory --------------------------------------------------------------------------------------


def test_numpy_memory_is_reused_and_aligned():
    native.use_allocator()
    for n in (10, 1000, 1 << 20, 10 << 20):
        x = np.empty(n, np.uint8)
        assert x.ctypes.data % 64 == 0
        place = x.ctypes.data
        del x
        assert np.empty(n, np.uint8).ctypes.data == place


def test_numpy_zeros_are_zero_and_resize_keeps_values():
    native.use_allocator()
    for n in (10, 100_000, 4 << 20):
        np.full(n, 255, np.uint8)
        assert not np.zeros(n, np.uint8).any()
    x = np.arange(10)
    x.resize(100_000, refcheck=False)
    np.testing.assert_array_equal(x[:10], np.arange(10))
    assert not x[10:].any()


def test_cache_can_be_released_and_bounded():
    native.use_allocator()
    del_me = np.ones(8 << 20, np.uint8)
    del del_me
    assert native.cached_bytes() >= 8 << 20
    native.release_cache()
    assert native.cached_bytes() < 1 << 20
    code = "from baryon.native import native as n; print(n.cache_limit())"
    assert python(code, BARYON_CACHE_BYTES="1000")[0] == "1000"
    assert int(python(code)[0]) > 1 << 20


def resident():
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads /proc")
def test_gradients_take_no_memory_before_they_are_written():
    native.use_allocator()
    x = mx.nd.ones((9 << 18,))
    np.full(9 << 18, 7, np.float32)  # leaves memory that is not zero for reuse
    before = resident()
    x.attach_grad()
    assert resident() - before < 1 << 20
    assert not x.grad.asnumpy().any()
    x.grad[::1000] = 1
    assert x.grad.sum().asscalar() == -(-x.size // 1000)
    with pytest.raises(MXNetError, match="memory of its own"):
        native.forget_zeros(np.zeros(4)[1:])


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads /proc")
def test_large_arrays_take_no_more_memory_than_they_fill():
    native.use_allocator()
    native.release_cache()
    before, count, size = resident(), 24, (9 << 18) + 100  # a little more than a huge page
    arrays = [np.full(size, i, np.uint8) for i in range(count)]
    assert resident() - before <= 1.1 * count * size
    assert all((x == i).all() for i, x in enumerate(arrays))


TRADES = """
import resource
import numpy as np
from baryon.native import native
native.use_allocator()

def small(): return [np.ones(8 << 20, np.uint8) for _ in range(8)]
def large(): return np.ones(70 << 20, np.uint8)
def faults(): return resource.getrusage(resource.RUSAGE_SELF).ru_minflt
"""


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="counts pages")
def test_new_sizes_take_the_place_of_what_waits():
    code = f"""{TRADES}
before = native.cached_bytes()
small()
waits = native.cached_bytes() - before
made = large()
print(waits >> 20, native.cached_bytes() - before >> 20)
tiny = np.ones(3 << 20, np.uint8)
del made
again = np.ones(3 << 20, np.uint8)  # for so little nothing large leaves
print(native.cached_bytes() - before >> 20)
"""
    first, second = python(code)[0].splitlines()
    assert first == "64 0"
    assert int(second) >= 70


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="counts pages")
def test_what_is_missed_stays():
    code = f"""{TRADES}
for i in range(12):
    before = faults()
    small()
    large()
print(faults() - before)
"""
    assert int(python(code)[0]) < 20


def test_arrays_cross_threads():
    arrays = []

    def make():
        native.use_allocator()
        arrays.extend(np.full(1000 + i, i) for i in range(200))

    thread = threading.Thread(target=make)
    thread.start()
    thread.join()
    assert all((x == i).all() for i, x in enumerate(arrays))
    arrays.clear()


def test_impossible_sizes_raise_memory_error():
    native.use_allocator()
    with pytest.raises(MemoryError):
        np.empty(1 << 50, np.uint8)


# ---- threads -------------------------------------------------------------------------------------


def test_number_of_threads():
    before = native.num_threads()
    try:
        native.set_num_threads(3)
        assert native.num_threads() == 3
        with pytest.raises(ValueError, match="at least 1"):
            native.set_num_threads(0)
    finally:
        native.set_num_threads(before)


@pytest.mark.parametrize(
    "name", ["BARYON_NUM_THREADS", "MXNET_CPU_WORKER_NTHREADS", "OMP_NUM_THREADS"]
)
def test_number_of_threads_from_the_environment(name):
    clear = {n: "" for n in ("BARYON_NUM_THREADS", "MXNET_CPU_WORKER_NTHREADS", "OMP_NUM_THREADS")}
    code = "from baryon.native import native; print(native.num_threads())"
    assert python(code, **{**clear, name: "5"})[0] == "5"
    allowed = len(os.sched_getaffinity(0))
    assert 1 <= int(python(code, **{**clear, name: "none"})[0]) <= allowed


def _large_add(n):
    x, y = np.ones(n, "f"), np.empty(n, "f")
    native.run_kernel("broadcast_add", [x, x], [y], ())
    return bool((y == 2).all())


@pytest.mark.filterwarnings("ignore:This process:DeprecationWarning")
def test_kernels_run_in_forked_processes():
    assert _large_add(1 << 20)
    with multiprocessing.get_context("fork").Pool(2) as pool:
        assert pool.map(_large_add, [1 << 20] * 4, chunksize=1) == [True] * 4
    assert _large_add(1 << 20)


def test_blas_loads_or_says_why_not():
    code = (
        "from baryon.native import native as n\n"
        "try: n.load_blas('/no/such/library.so')\n"
        "except Exception as e: print(type(e).__name__, e)"
    )
    assert python(code)[0].startswith("MXNetError BLAS: /no/such/library.so")
