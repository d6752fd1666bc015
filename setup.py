"""Build ``baryon._native``: kernel files once per instruction set, in parallel, incrementally.

Environment:
    BARYON_NO_NATIVE=1        leave the extension out: pure Python, slow and correct
    BARYON_SANITIZE=address   build with a sanitizer (address, undefined, thread; comma-separated)
    BARYON_BUILD_JOBS         compilations at a time (default: every processor allowed)
    CXX, CXXFLAGS, LDFLAGS    the compiler and more of its options
"""

import hashlib
import os
import platform
import re
import shlex
import shutil
import subprocess
import sys
import sysconfig
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

from setuptools import Extension, setup
from setuptools.command.build_ext import build_ext
from setuptools.command.build_py import build_py

ROOT = Path(__file__).resolve().parent
CSRC = ROOT / "csrc"
KERNELS = CSRC / "kernels"
OBJECTS = ROOT / "build" / "objects"
# Sources that include Python headers.
PYTHON = {"array", "eager", "method", "module", "plan", "program_binding", "walk"}

# (-Wno-restrict: GCC 12 warns wrongly about std::string.)
# The baseline comes first on the link line, so that inline functions which several objects hold
# are taken from objects that every processor can run.
X86_ISAS = {
    "baseline": ["-O2"],  # for processors older than 2013: compiled quickly rather than tuned
    "v3": ["-march=x86-64-v3"],
    "v4": ["-march=x86-64-v4", "-mprefer-vector-width=512"],
}
MATRIX_UNIT = ["split_product"]  # families for v4's processors that have AMX besides
FLAGS = shlex.split("""
    -std=c++20 -O3 -DNDEBUG -fPIC -pthread -fvisibility=hidden -fvisibility-inlines-hidden
    -fno-math-errno -fno-trapping-math -ffp-contract=fast -fopenmp-simd
    -Wall -Wextra -Werror -Wno-restrict
""")

NO_COMPILER = """\
baryon's native engine needs a C++20 compiler, and {compiler!r} was not found.
Install one (Debian: apt-get install g++) or set CXX; or set BARYON_NO_NATIVE=1 to install
baryon without the engine: everything then computes in NumPy, slowly and correctly."""


def is_x86() -> bool:
    """Whether the build is for x86-64, the only processor with several instruction sets here."""
    return platform.machine().lower() in ("x86_64", "amd64")


def families() -> list[Path]:
    """The kernel files that families.def lists."""
    text = (KERNELS / "families.def").read_text()
    names = re.findall(r"^\s*FAMILY\((\w+)\)", text, re.MULTILINE)
    missing = [name for name in names if not (KERNELS / f"{name}.cpp").is_file()]
    if missing:
        raise SystemExit(
            f"csrc/kernels/families.def lists {', '.join(missing)}, "
            f"but there is no csrc/kernels/{missing[0]}.cpp"
        )
    return [KERNELS / f"{name}.cpp" for name in names]


def python_flags() -> tuple[list[str], str]:
    """Include paths of Python, NumPy and pybind11, as system headers, and their versions."""
    import numpy
    import pybind11

    paths = [sysconfig.get_path("include"), numpy.get_include(), pybind11.get_include()]
    versions = [sysconfig.get_config_var("SOABI"), numpy.__version__, pybind11.__version__]
    return [flag for path in paths for flag in ("-isystem", path)], " ".join(versions)


def sanitizer_flags() -> list[str]:
    """Options for BARYON_SANITIZE. GCC's warnings are often wrong about instrumented code."""
    kinds = os.environ.get("BARYON_SANITIZE")
    extra = ["-fno-omit-frame-pointer", "-g", "-O1", "-Wno-error"]
    return [f"-fsanitize={kinds}", *extra] if kinds else []


def compiler() -> list[str]:
    """The compiler's command, through ccache when there is one."""
    command = shlex.split(os.environ.get("CXX", "")) or [shutil.which("g++") or "c++"]
    if shutil.which(command[0]) is None:
        raise SystemExit(NO_COMPILER.format(compiler=command[0]))
    ccache = shutil.which("ccache")
    return [ccache, *command] if ccache and "ccache" not in command[0] else command


class Unit(NamedTuple):
    """One source, its own options, and a text that tells builds with other options apart."""

    source: Path
    flags: list[str]
    mark: str


def units() -> list[Unit]:
    """Everything to compile, in link order."""
    flags, versions = python_flags()
    kernel_flags = X86_ISAS if is_x86() else {"baseline": []}
    found = []
    for path in sorted(CSRC.glob("*.cpp")):
        own, mark = (flags, versions) if path.stem in PYTHON else ([], "")
        found.append(Unit(path, ["-O2", *own], mark))
    for tag, own in kernel_flags.items():
        own = [f"-DBARYON_ISA={tag}", *own]
        found += [Unit(path, own, " ".join(own)) for path in families()]
    if is_x86():
        own = ["-DBARYON_ISA=amx", *X86_ISAS["v4"]]
        found += [Unit(KERNELS / f"{name}.cpp", own, " ".join(own)) for name in MATRIX_UNIT]
    return found


def run(command: list[str]) -> None:
    """Run one compiler command; its messages, and an exception, if it fails."""
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        raise RuntimeError(f"{shlex.join(command)}\n{done.stdout}{done.stderr}")


def stale(target: Path, depfile: Path) -> bool:
    """Whether an object is older than its source or any header it read."""
    if not (target.exists() and depfile.exists()):
        return True
    inputs = depfile.read_text().replace("\\\n", " ").split(":", 1)[-1].split()
    made = target.stat().st_mtime_ns
    return any(not os.path.exists(p) or os.stat(p).st_mtime_ns > made for p in inputs)


def compile_unit(unit: Unit, base: list[str]) -> Path:
    """Compile one source unless its object is up to date; the object's path."""
    digest = hashlib.sha256(shlex.join([*base, unit.mark]).encode()).hexdigest()[:12]
    target = OBJECTS / f"{unit.source.stem}-{digest}.o"
    depfile = target.with_suffix(".d")
    if stale(target, depfile):
        partial = target.with_suffix(f".{os.getpid()}.o")
        begun = time.time_ns()
        output = ["-MMD", "-MF", str(depfile), "-c", str(unit.source), "-o", str(partial)]
        run([*base, *unit.flags, *output])
        os.utime(partial, ns=(begun, begun))  # what is edited meanwhile is newer
        partial.replace(target)
    return target


class BuildStubs(build_py):
    """Write the ``.pyi`` stubs of the operators beside the modules, from the catalogue itself."""

    def run(self) -> None:
        """Copy the modules, then describe what they make at run time."""
        super().run()
        folder = (ROOT / "src" if self.editable_mode else Path(self.build_lib)) / "baryon"
        # An isolated build finds NumPy on paths of its own.
        paths = os.pathsep.join([str(ROOT / "src"), *filter(None, sys.path)])
        env = {**os.environ, "PYTHONPATH": paths, "BARYON_NO_NATIVE": "1"}
        subprocess.run(
            [sys.executable, "-m", "baryon.stubs", str(folder)],
            env=env,
            check=True,
            stdout=subprocess.DEVNULL,
        )


class BuildNative(build_ext):
    """Compile and link the extension with the rules above."""

    def build_extension(self, ext: Extension) -> None:
        """Bring the extension up to date."""
        OBJECTS.mkdir(parents=True, exist_ok=True)
        base = [*compiler(), *FLAGS, *sanitizer_flags(), f"-I{CSRC}"]
        base += shlex.split(os.environ.get("CXXFLAGS", ""))
        allowed = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else 0
        jobs = int(os.environ.get("BARYON_BUILD_JOBS") or allowed or os.cpu_count() or 1)
        with ThreadPoolExecutor(jobs) as pool:  # the longest compilations, v4's, begin first
            work = [pool.submit(compile_unit, unit, base) for unit in reversed(units())]
            try:
                objects = [str(w.result()) for w in reversed(work)]
            except RuntimeError as error:
                pool.shutdown(cancel_futures=True)
                raise SystemExit(f"baryon: compilation failed\n{error}") from None
        self.link(objects, Path(self.get_ext_fullpath(ext.name)))

    def link(self, objects: list[str], target: Path) -> None:
        """Link the objects, replacing the extension in one step."""
        target.parent.mkdir(parents=True, exist_ok=True)
        strip = [] if sanitizer_flags() else ["-Wl,-s"]
        shared = ["-bundle", "-undefined", "dynamic_lookup"]
        system = shared if platform.system() == "Darwin" else ["-shared", *strip]
        partial = target.with_suffix(f".{os.getpid()}.tmp")
        more = shlex.split(os.environ.get("LDFLAGS", ""))
        run(
            [*compiler()[-1:], *sanitizer_flags(), "-pthread", *system, *objects, "-ldl"]
            + [*more, "-o", str(partial)]
        )
        partial.replace(target)

    def copy_extensions_to_source(self) -> None:
        """Put the extension into the source tree, again in one step: it may be in use there."""
        for ext in self.extensions:
            name = self.get_ext_filename(self.get_ext_fullname(ext.name))
            target = ROOT / "src" / name
            partial = target.with_suffix(f".{os.getpid()}.tmp")
            shutil.copy(Path(self.build_lib) / name, partial)
            partial.replace(target)

    def get_source_files(self) -> list[str]:
        """The sources, for source distributions."""
        return [str(p.relative_to(ROOT)) for p in CSRC.rglob("*") if p.is_file()]


native = os.environ.get("BARYON_NO_NATIVE", "").lower() in ("", "0", "false", "no", "off")
setup(
    ext_modules=[Extension("baryon._native", sources=[])] if native else [],
    cmdclass={"build_ext": BuildNative, "build_py": BuildStubs},
)
