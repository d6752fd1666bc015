"""The engine without Python: thread pool, allocator and products, also under sanitizers."""

import importlib.util
import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from baryon.native import native

HERE = Path(__file__).parent
CSRC = HERE.parents[1] / "csrc"
CHECKS = re.findall(r'^    \{"(\w+)", \1\}', (HERE / "engine_test.cpp").read_text(), re.MULTILINE)
SANITIZERS = {
    "plain": "-O2",
    "thread": "-fsanitize=thread",
    "address": "-fsanitize=address,undefined",
}
NOT_UNDER = {
    ("thread", "fork_keeps_working"),  # the sanitizer refuses threads after fork
    # The address sanitizer's own allocator may be locked in a child: its fork holds no lock.
    ("address", "fork_keeps_working"),
    ("thread", "impossible_sizes"),  # reported by the sanitizer before the engine sees them
    ("address", "impossible_sizes"),
    ("address", "cache_is_bounded"),
}
CXX = os.environ.get("CXX") or shutil.which("g++") or shutil.which("c++")
pytestmark = pytest.mark.skipif(
    native is None or CXX is None, reason="needs the native engine and a C++ compiler"
)


@pytest.fixture(scope="module")
def build(tmp_path_factory):
    """A function that compiles the checks with a sanitizer, once; None where it is missing."""
    folder, made = tmp_path_factory.mktemp("engine"), {}

    def compile_checks(kind):
        target = folder / kind
        sources = [HERE / "engine_test.cpp"]
        sources += [CSRC / f"{n}.cpp" for n in ("parallel", "allocator", "settings", "gemm")]
        command = [*CXX.split(), "-std=c++20", "-g", "-O1", SANITIZERS[kind], f"-I{CSRC}"]
        command += [*map(str, sources), "-o", str(target), "-ldl", "-pthread"]
        done = subprocess.run(command, capture_output=True, text=True)
        if done.returncode and kind != "plain" and "sanitize" in done.stderr:
            return None
        assert done.returncode == 0, done.stderr
        return target

    def get(kind):
        if kind not in made:
            made[kind] = compile_checks(kind)
        return made[kind]

    return get


def run(program, *arguments):
    env = {**os.environ, "BARYON_CACHE_BYTES": str(8 << 20), "ASAN_OPTIONS": "detect_leaks=1"}
    done = subprocess.run(
        [program, *arguments], env=env, capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("check", CHECKS)
@pytest.mark.parametrize("kind", SANITIZERS)
def test_engine(build, kind, check):
    program = build(kind)
    if program is None:
        pytest.skip(f"the compiler has no {kind} sanitizer")
    if (kind, check) in NOT_UNDER:
        pytest.skip(f"not meant for the {kind} sanitizer")
    run(program, check)


def test_products_with_blas(build):
    spec = importlib.util.find_spec("scipy_openblas32")
    if spec is None:
        pytest.skip("scipy-openblas32 is not installed")
    library = next((Path(spec.origin).parent / "lib").glob("libscipy_openblas*.so*"))
    run(build("plain"), "products", str(library))
