"""CUDA sources compiled as C++ and run on the CPU: `RawModule` and `RawKernel` like CuPy's.

Numbers of kernels can thus be checked where there is no GPU. Arguments are packed as CuPy packs
them (arrays as pointers, Python's int and float as 64 bits, NumPy scalars as they are, NumPy arrays
by value), and each one's size is held against the kernel's parameter.
"""

from __future__ import annotations

import ctypes
import hashlib
import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

HEADER = Path(__file__).with_name("cuda_emulator.h")
FLAGS = ("-std=c++20", "-O1", "-shared", "-fPIC", "-Wall", "-Werror", "-Wno-unknown-pragmas")
QUIET = ("-Wno-attributes", "-Wno-unused-function", "-Wno-unused-variable", "-fno-strict-aliasing")
KERNEL = re.compile(
    r'extern\s+"C"\s+__global__\s+void\s+(?:__launch_bounds__\(.*?\)\s*)?(\w+)\s*\((.*?)\)\s*\{',
    re.DOTALL,
)
COMMENT = re.compile(r"//[^\n]*|/\*.*?\*/", re.DOTALL)
compiler = shutil.which("g++")


def cache() -> Path:
    """Where compiled sources are kept, for this user only."""
    folder = Path(tempfile.gettempdir()) / f"baryon-cuda-emulator-{os.getuid()}"
    folder.mkdir(mode=0o700, exist_ok=True)
    if folder.stat().st_uid != os.getuid():
        raise PermissionError(f"{folder} belongs to another user")
    return folder


def parameters(text: str) -> list[str]:
    """The types of a kernel's parameters."""
    parts = [p.strip() for p in re.split(r",(?![^<]*>)", text) if p.strip()]
    return [re.match(r"(.*?[\s*&])\w+$", p, re.DOTALL).group(1).strip() for p in parts]


def caller(name: str, types: Sequence[str]) -> str:
    """A C function that runs a kernel of the given parameter types, and their sizes."""
    args = ", ".join(f"*({t.replace('__restrict__', '')}*)args[{i}]" for i, t in enumerate(types))
    sizes = ", ".join(f"sizeof({t.replace('__restrict__', '')})" for t in types) or "0"
    return f"""
extern "C" const unsigned long sizes_{name}[] = {{{sizes}}};
extern "C" const char* emulate_{name}(const unsigned* dims, void** args) {{
  const Dim grid = {{dims[0], dims[1], dims[2]}}, block = {{dims[3], dims[4], dims[5]}};
  emulated::launch(grid, block, [](void* given) {{
    void** args = static_cast<void**>(given);
    (void)args;
    {name}({args});
  }}, args);
  return emulated::failure;
}}
"""


def build(code: str) -> tuple[ctypes.CDLL, dict[str, int]]:
    """The library of a source, and the number of parameters of each of its kernels."""
    found = {n: parameters(p) for n, p in KERNEL.findall(COMMENT.sub("", code))}
    text = f'#include "{HEADER}"\n' + code + "".join(caller(n, t) for n, t in found.items())
    key = hashlib.sha256("\0".join([HEADER.read_text(), text, *FLAGS, *QUIET]).encode())
    library = cache() / f"{key.hexdigest()[:32]}.so"
    if not library.exists():
        with tempfile.TemporaryDirectory(dir=cache()) as folder:
            source = Path(folder) / "kernels.cpp"
            source.write_text(text)
            made = Path(folder) / "kernels.so"
            command = [compiler, *FLAGS, *QUIET, str(source), "-o", str(made)]
            done = subprocess.run(command, capture_output=True, text=True, check=False)
            if done.returncode:
                raise RuntimeError(f"the emulator's compiler says:\n{done.stderr[:4000]}")
            os.replace(made, library)
    return ctypes.CDLL(str(library)), {n: len(t) for n, t in found.items()}


def packed(value: Any) -> np.ndarray:
    """The bytes of a kernel argument as CuPy would pass them."""
    if value is None:
        return np.zeros(1, np.uint64)
    if hasattr(value, "data") and hasattr(value.data, "ptr"):  # an array of a stand-in for CuPy
        return np.array([value.data.ptr], np.uint64)
    if isinstance(value, bool):
        return np.array([value])
    if isinstance(value, int):
        return np.array([value], np.int64)
    if isinstance(value, float):
        return np.array([value], np.float64)
    if isinstance(value, np.generic):
        return np.array([value])
    if isinstance(value, np.ndarray):
        return value
    raise TypeError(f"a kernel cannot take {type(value).__name__}")


class RawKernel:
    """A kernel of a source."""

    def __init__(self, code: str, name: str, options: Sequence[str] = (), **ignored: Any) -> None:
        self.name = name
        self.library, counts = build(code)
        if name not in counts:
            raise KeyError(f"the source has no kernel {name}; it has {', '.join(counts)}")
        self.count = counts[name]
        self._call = getattr(self.library, f"emulate_{name}")
        self._call.restype = ctypes.c_char_p
        self._sizes = (ctypes.c_ulong * max(self.count, 1)).in_dll(self.library, f"sizes_{name}")

    def __call__(
        self, grid: Sequence[int], block: Sequence[int], args: Sequence[Any], shared_mem: int = 0
    ) -> None:
        """Run it to its end."""
        if shared_mem:
            raise NotImplementedError("kernels here use static shared memory only")
        if len(args) != self.count:
            raise TypeError(f"{self.name} takes {self.count} arguments, got {len(args)}")
        values = [packed(a) for a in args]
        for i, (value, size) in enumerate(zip(values, self._sizes, strict=False)):
            if value.nbytes != size:
                raise TypeError(
                    f"{self.name}: argument {i} has {value.nbytes} bytes, expected {size}"
                )
        dims = [*(*grid, 1, 1)[:3], *(*block, 1, 1)[:3]]
        if np.prod(dims[3:]) > 1024 or min(dims) < 1 or max(dims[1:3]) > 65535:
            raise ValueError(f"{self.name}: no GPU launches grid {dims[:3]}, block {dims[3:]}")
        pointers = (ctypes.c_void_p * max(len(values), 1))(*(v.ctypes.data for v in values))
        failure = self._call((ctypes.c_uint * 6)(*map(int, dims)), pointers)
        if failure:
            raise RuntimeError(f"{self.name}: {failure.decode()}")


class RawModule:
    """The kernels of a source."""

    def __init__(self, *, code: str, options: Sequence[str] = (), **ignored: Any) -> None:
        self.code, self.options = code, tuple(options)

    def get_function(self, name: str) -> RawKernel:
        """A kernel by name."""
        return RawKernel(self.code, name, self.options)
