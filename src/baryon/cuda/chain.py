"""Pointwise chains (`ops.chain`) printed as one CUDA kernel each, and their launch.

A thread takes a few neighbours of every tensor with one access, computes all steps in registers,
and writes the results. Steps round as single operators do, so fusion changes no numbers.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from functools import cache, lru_cache
from math import isinf, isnan, prod
from string import ascii_lowercase
from typing import Any, NamedTuple

import numpy as np

from ..dtypes import is_float
from ..ops.attrs import Attrs
from ..ops.chain import Chain, Step, expression, printable, read, value_dtypes, written
from ..ops.entry import Op
from ..ops.rules import broadcast, broadcast_shapes
from ..ops.scalar import number
from .launch import TYPES, blocks, common_source, dense, file_text, launch, output, width
from .registry import kernel

ALIGNED = 16  # bytes that one access takes
_THREADS = 256
# No products and sums joined across steps, which would round otherwise than one by one.
OPTIONS = ("-std=c++17", "--fmad=false")


class Layout(NamedTuple):
    """How inputs lie in the result: its sizes, neighbouring axes along which each input does the
    same taken together, and for each input whether it varies along them.
    """

    sizes: tuple[int, ...]
    varies: tuple[tuple[bool, ...], ...]

    def strides(self, i: int) -> list[int]:
        """Of an input along all axes, in elements; 0 where it does not vary."""
        found, step = [], 1
        for size, varies in zip(reversed(self.sizes), reversed(self.varies[i]), strict=True):
            found.append(step if varies else 0)
            step *= size if varies else 1
        return found[::-1]


def layout(shapes: Sequence[tuple[int, ...]]) -> Layout:
    """The layout of inputs of these shapes, which broadcast."""
    out = broadcast_shapes(*shapes)
    axes: list[tuple[int, tuple[bool, ...]]] = []
    for k, size in enumerate(out):
        if size == 1:
            continue
        places = (k - len(out) + len(s) for s in shapes)
        varies = tuple(p >= 0 and s[p] != 1 for p, s in zip(places, shapes, strict=True))
        if axes and axes[-1][1] == varies:
            size *= axes.pop()[0]
        axes.append((size, varies))
    axes = axes or [(1, (False,) * len(shapes))]
    return Layout(tuple(n for n, _ in axes), tuple(zip(*(v for _, v in axes), strict=True)))


# ---- the source --------------------------------------------------------------------------------


def literal(value: Any) -> str:
    """A number in the type ``A``, exactly."""
    value = float(value)
    if isnan(value):
        return "(lowest<A>() - lowest<A>())"
    if isinf(value):
        return f"({'' if value < 0 else '-'}lowest<A>())"
    return f"A({value.hex()})"


def element(step: Step, names: Sequence[str], dtype: np.dtype) -> str:
    """The expression of a step whose operands have these names."""
    text = expression(step.op, step.attrs)
    numbers = {
        k: literal(number(v, dtype)) if k == "scalar" else literal(v)
        for k, v in step.attrs.items()
        if isinstance(v, (int, float))
    }
    operands = dict(zip(ascii_lowercase, names, strict=False))
    filled = text.format(**numbers)
    return "".join(_tokens(filled, operands))


def _tokens(text: str, operands: dict[str, str]) -> Iterator[str]:
    """A text with the words that name operands replaced."""
    word = ""
    for c in f"{text} ":
        if c.isalnum() or c in "_.":
            word += c
            continue
        yield operands.get(word, word)
        word = ""
        yield c


def source(chain: Chain, ins: tuple[np.dtype, ...], varies: Sequence[tuple[bool, ...]]) -> str:
    """The kernel ``chain`` in CUDA C++ for inputs of these dtypes and axes.

    `N` and `I` are the elements that a thread takes at once and the type that counts elements (see
    `declared`). Arguments: inputs, outputs, the number of takes, then the sizes of all axes, and
    the strides of each input along those of its axes that are not the last.
    """
    dtypes = value_dtypes(chain, ins)
    axes = range(len(varies[0]))
    strides = [(i, d) for i in range(chain.count) for d in axes[:-1] if varies[i][d]]
    parameters = [f"const {TYPES[t]}* p{i}" for i, t in enumerate(ins)]
    parameters += [f"{TYPES[dtypes[k]]}* q{i}" for i, k in enumerate(chain.outputs)]
    parameters += ["I takes", *(f"I size{d}" for d in axes)]
    parameters += [f"I step{i}_{d}" for i, d in strides]
    lines = [
        f'extern "C" __global__ void chain({", ".join(parameters)}) {{',
        "  for (I take = first_element(); take < takes; take += all_threads()) {",
        *(f"    {line}" for line in _places(varies)),
        *(f"    {line}" for line in _loads(varies, ins)),
        *(f"    Pack<{TYPES[dtypes[k]]}, N> r{i};" for i, k in enumerate(chain.outputs)),
        "#pragma unroll",
        "    for (int k = 0; k < N; ++k) {",
        *(f"      {line}" for line in _steps(chain, varies, dtypes)),
        "    }",
        *(f"    store<N>(q{i} + take * N, r{i});" for i in range(len(chain.outputs))),
        "  }",
        "}",
    ]
    return "\n".join(lines) + "\n"


def _places(varies: Sequence[tuple[bool, ...]]) -> Iterator[str]:
    """Where each input's elements begin: ``at<i>``."""
    last = len(varies[0]) - 1
    if last:
        yield f"I left = take * N, at = left % size{last};"
        yield f"left /= size{last};"
    else:
        yield "const I at = take * N;"
    for i, along in enumerate(varies):
        yield f"I at{i} = {'at' if along[last] else '0'};"
    for d in range(last - 1, -1, -1):
        yield f"at = left % size{d};" if d else "at = left;"
        if d:
            yield f"left /= size{d};"
        yield from (f"at{i} += at * step{i}_{d};" for i, along in enumerate(varies) if along[d])


def _loads(varies: Sequence[tuple[bool, ...]], ins: Sequence[np.dtype]) -> Iterator[str]:
    for i, along in enumerate(varies):
        if along[-1]:
            yield f"const Pack<{TYPES[ins[i]]}, N> v{i} = load<N>(p{i} + at{i});"
        else:
            yield f"const {TYPES[ins[i]]} v{i} = p{i}[at{i}];"


def _steps(
    chain: Chain, varies: Sequence[tuple[bool, ...]], dtypes: Sequence[np.dtype]
) -> Iterator[str]:
    """The computation of one element."""
    used = {k for step in chain.steps for k in step.reads}
    for i in sorted(k for k in used if k < chain.count):
        yield f"const {_wide(dtypes[i])} x{i} = widened(v{i}{'.at[k]' if varies[i][-1] else ''});"
    for n, step in enumerate(chain.steps):
        value, dtype = chain.count + n, dtypes[chain.count + n]
        of = max((dtypes[k] for k in step.reads), key=lambda t: t.itemsize)
        text = element(step, [f"x{k}" for k in step.reads], of)
        computed = f"[&] {{ typedef {_wide(of)} A; return A({text}); }}()"
        kept = f"static_cast<{_wide(dtype)}>({computed})"
        yield f"const {_wide(dtype)} x{value} = rounded<{TYPES[dtype]}>({kept});"
        if value in chain.outputs:
            place = chain.outputs.index(value)
            yield f"r{place}.at[k] = narrowed<{TYPES[dtype]}>(x{value});"


def _wide(dtype: np.dtype) -> str:
    return "double" if dtype == np.float64 else "float"


def declared(take: int, is_long: bool) -> str:
    """What stands before a kernel's source: how many elements a take has, and who counts them."""
    return f"constexpr int N = {take};\ntypedef {'Index' if is_long else 'Word'} I;\n"


# ---- the launch --------------------------------------------------------------------------------


@cache
def _is_printable(program: str, ins: tuple[np.dtype, ...]) -> bool:
    chain = read(program)
    dtypes = value_dtypes(chain, ins)
    return all(
        printable(s.op, s.attrs, tuple(dtypes[k] for k in s.reads), dtypes[chain.count + i])
        for i, s in enumerate(chain.steps)
    )


@cache
def _compiled(xp: Any, program: str, ins: tuple, varies: tuple, take: int, is_long: bool) -> Any:
    own = declared(take, is_long) + source(read(program), ins, varies)
    code = common_source() + file_text("chain.cuh") + own
    return xp.RawModule(code=code, options=OPTIONS).get_function("chain")


@kernel("_fused_chain")
def fused_chain(xp, *data, program, num_args):
    """See the operator; a chain with a step on other types than floats is left to its body."""
    shape = broadcast_shapes(*(x.shape for x in data))
    ins = tuple(np.dtype(x.dtype) for x in data)
    if not prod(shape) or not _is_printable(program, ins):
        return NotImplemented
    found = layout([x.shape for x in data])
    data = [dense(xp, x) for x in data]
    chain = read(program)
    dtypes = value_dtypes(chain, ins)
    results = [output(xp, shape, dtypes[k]) for k in chain.outputs]
    vectors = [x for x, along in zip(data, found.varies, strict=True) if along[-1]]
    take = width(*vectors, *results, along=found.sizes[-1])
    run = _prepare(xp, program, ins, found, take)
    launch(run.kernel, run.grid, _THREADS, *data, *results, *run.numbers)
    return tuple(results)


class Prepared(NamedTuple):
    """A compiled chain and what it is launched with after inputs and outputs."""

    kernel: Any
    grid: int
    numbers: tuple

    def launch(self, arrays: tuple) -> None:
        """Run on inputs and outputs."""
        self.kernel((self.grid,), (_THREADS,), arrays + self.numbers)


def _prepare(xp: Any, program: str, ins: tuple, found: Layout, take: int) -> Prepared:
    """A chain on inputs of these types and places, `take` elements of which are read at once."""
    count = prod(found.sizes)
    is_long = count >= 2**31
    number = np.int64 if is_long else np.uint32
    steps = [
        stride
        for i, along in enumerate(found.varies)
        for stride, varies in zip(found.strides(i)[:-1], along[:-1], strict=True)
        if varies
    ]
    run = _compiled(xp, program, ins, found.varies, take, is_long)
    numbers = tuple(map(number, (count // take, *found.sizes, *steps)))
    return Prepared(run, blocks(count // take), numbers)


# ---- one operator --------------------------------------------------------------------------------


# What CuPy computes at once, too: a function of C++ that it has, or an operation.
_AT_ONCE = re.compile(
    r"-?a|1 / a|a [-+*/] b|a \* (a|A\([\d.]+\))|A\(a [<>=!]=? [b0]\)|(pow|hypot)\(a, b\)|"
    r"(a?(sin|cos|tan)h?|exp|expm1|log(2|10|1p)?|sqrt|cbrt|fabs|floor|ceil|trunc|erf)\(a\)|"
    r"[tl]gamma\(a\)|a [<>] b \|\| a != a \? a : b"
)


def alone(op: Op) -> Callable[..., Any] | None:
    """A printed kernel for a single pointwise operator, if it has an expression.

    Of wider types than 16 bits only for what CuPy does not compute at once: the body needs no
    other type then, and CuPy is quicker to call. Expressions with numbers are left to bodies: each
    number would be a kernel of its own.
    """
    if op.element is None or op.many:
        return None

    def run(xp: Any, *data: Any, **attrs: Any) -> Any:
        data = [x for x in data if x is not None]
        if op.shape_rule is not broadcast and len({x.shape for x in data}) > 1:
            return NotImplemented  # other rules than NumPy's say which elements belong together
        program = _program_of_one(op, Attrs(attrs), len(data), any(map(_is_half, data)))
        if program is None:
            return NotImplemented
        found = fused_chain(xp, *data, program=program, num_args=len(data))
        return found if found is NotImplemented else found[0]

    return run


def prepared(xp: Any, op: Op, attrs: Attrs, specs: Sequence[Any], out: Any) -> Prepared | None:
    """A pointwise operator on arrays of these specs, aligned and in C order, if it is printed."""
    shapes, ins = [s.shape for s in specs], tuple(np.dtype(s.dtype) for s in specs)
    if op.many or op.element is None or not specs or not prod(out.shape):
        return None
    if op.shape_rule is not broadcast and len(set(shapes)) > 1:
        return None
    program = _program_of_one(op, attrs, len(specs), True)
    if program is None or not _is_printable(program, ins):
        return None
    found = layout(shapes)
    types = [t for t, along in zip(ins, found.varies, strict=True) if along[-1]]
    take = ALIGNED // max(t.itemsize for t in (*types, out.dtype))
    while found.sizes[-1] % take:
        take //= 2
    return _prepare(xp, program, ins, found, take)


@lru_cache(maxsize=4096)
def _program_of_one(op: Op, attrs: Attrs, count: int, half: bool) -> str | None:
    text = expression(op, attrs) if op.is_pointwise(attrs) else None
    if text is None or "{" in text or not (half or _AT_ONCE.fullmatch(text) is None):
        return None
    return written(Chain(count, (Step(op, attrs, tuple(range(count))),), (count,)))


def _is_half(x: Any) -> bool:
    return x.dtype.itemsize == 2 and is_float(np.dtype(x.dtype))
